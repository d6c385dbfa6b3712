"""What a browser tab holds: its API clients, its login, and the labels."""

from dataclasses import dataclass

import httpx2
import streamlit as st

from services.labeler.settings import UiSettings
from services.labeler.ui.api_clients import LabelerClient, PredictorClient
from services.labeler.ui.sessions import cookie
from services.labeler.ui.sessions.kept_work import NAMES, keep
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
            PredictorClient(open_predictor(settings)),
        )
    opened: Clients = st.session_state.clients
    return opened


def open_predictor(settings: UiSettings, transport: httpx2.BaseTransport | None = None) -> BlockingApi:
    """Return the predictor's API, with the key of the pages if they have one. `transport` replaces the network."""
    predictor = BlockingApi(settings.predictor_url, PREDICT_TIMEOUT_SECONDS, transport)
    if key := settings.predictor_key.get_secret_value():
        predictor.authenticate(key)
    return predictor


def session() -> Session | None:
    """Return the login of this tab, None without a login."""
    found: Session | None = st.session_state.get("session")
    return found


def log_in(new: Session) -> None:
    """Start a session. Work of another user in this tab is dropped, so that it is not sent under the wrong name."""
    if st.session_state.get("last_user") != new.name:
        for unfinished in NAMES:
            st.session_state.pop(unfinished, None)
    st.session_state.session = new
    st.session_state.login_message = ""
    st.session_state.ticket = cookie.issue_ticket(new) if cookie.SERVED.is_set() else ""


def resume_login() -> None:
    """Go on with the login in the browser's cookie. The cookie is that of the moment when the tab was opened, so it
    counts only once."""
    if "session" not in st.session_state:
        found = st.context.cookies.get(cookie.COOKIE) if cookie.SERVED.is_set() else None
        st.session_state.session = cookie.decode(found)


def log_out(message: str = "") -> None:
    """End the session and show `message` on the login page. The work in this tab stays until the same user returns."""
    if (current := session()) is not None:
        st.session_state.last_user = current.name
        cookie.end(current)
        st.session_state.ended = cookie.token_hash(current)
    st.session_state.session = None
    st.session_state.login_message = message


def keep_work() -> None:
    """Remember new work of this tab at once, so that a reload loses none of it."""
    if (current := session()) is not None:
        keep(current)


def labels() -> tuple[str, ...]:
    """Return the labels an image can have; requested once per tab."""
    if "labels" not in st.session_state:
        st.session_state.labels = clients().labeler.send(labeler.get_labels()).labels
    found: tuple[str, ...] = st.session_state.labels
    return found
