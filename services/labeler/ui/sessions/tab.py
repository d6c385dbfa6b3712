"""What a browser tab holds: its API clients, its login, and the labels."""

from dataclasses import dataclass

import streamlit as st

from services.labeler.settings import UiSettings
from services.labeler.ui.api_clients import LabelerClient, PredictorClient
from shared.clients import labeler
from shared.clients.answers import Session
from shared.clients.api import BlockingApi

COMMAND_TIMEOUT_SECONDS = 30.0  # longer than the labeler waits for an outcome
PREDICT_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Clients:
    """The clients of the two APIs."""

    labeler: LabelerClient
    predictor: PredictorClient


def clients() -> Clients:
    """Return the clients of this tab, created at its first run."""
    if "clients" not in st.session_state:
        settings = UiSettings()
        st.session_state.clients = Clients(
            LabelerClient(BlockingApi(settings.labeler_url, COMMAND_TIMEOUT_SECONDS)),
            PredictorClient(BlockingApi(settings.predictor_url, PREDICT_TIMEOUT_SECONDS)),
        )
    opened: Clients = st.session_state.clients
    return opened


def session() -> Session | None:
    """Return the login of this tab, None without a login."""
    found: Session | None = st.session_state.get("session")
    return found


def log_in(new: Session) -> None:
    """Start a session. Work of another user in this tab is dropped, so that it is not sent under the wrong name."""
    if st.session_state.get("last_user") != new.name:
        for unfinished in ("review_session", "upload_session"):
            st.session_state.pop(unfinished, None)
    st.session_state.session = new
    st.session_state.login_message = ""


def log_out(message: str = "") -> None:
    """End the session and show `message` on the login page. The work in this tab stays until the same user returns."""
    if (current := session()) is not None:
        st.session_state.last_user = current.name
    st.session_state.session = None
    st.session_state.login_message = message


def labels() -> tuple[str, ...]:
    """Return the labels an image can have; requested once per tab."""
    if "labels" not in st.session_state:
        st.session_state.labels = clients().labeler.send(labeler.get_labels()).labels
    found: tuple[str, ...] = st.session_state.labels
    return found
