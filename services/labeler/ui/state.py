"""What a browser tab holds: its clients and who is logged in."""

from dataclasses import dataclass

import httpx2
import streamlit as st

from services.labeler.settings import UiSettings
from services.labeler.ui import corrections
from services.labeler.ui import messages as words
from services.labeler.ui.clients import LabelerClient, PendingCorrection, PredictorClient, Session
from services.labeler.ui.corrections import Sent

COMMAND_TIMEOUT_SECONDS = 30.0  # longer than the labeler waits for an outcome
PREDICT_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Clients:
    """The two APIs."""

    labeler: LabelerClient
    predictor: PredictorClient


def clients() -> Clients:
    """The clients of this tab, opened at its first run."""
    if "clients" not in st.session_state:
        settings = UiSettings()
        st.session_state.clients = Clients(
            LabelerClient(httpx2.Client(base_url=settings.labeler_url, timeout=COMMAND_TIMEOUT_SECONDS)),
            PredictorClient(httpx2.Client(base_url=settings.predictor_url, timeout=PREDICT_TIMEOUT_SECONDS)),
        )
    opened: Clients = st.session_state.clients
    return opened


def session() -> Session | None:
    """Who is logged in."""
    found: Session | None = st.session_state.get("session")
    return found


def log_in(who: Session) -> None:
    """Begin a session. What somebody else left in this tab is dropped: it must not be sent in another's name."""
    if st.session_state.get("worker") != who.name:
        for left in ("desk", "work"):
            st.session_state.pop(left, None)
    st.session_state.session = who
    st.session_state.login_message = ""


def log_out(message: str = "") -> None:
    """Forget the session; the work in this tab stays for when the person is back."""
    if (who := session()) is not None:
        st.session_state.worker = who.name
    st.session_state.session = None
    st.session_state.login_message = message


def send(wish: PendingCorrection) -> Sent:
    """Send a correction; if the session has ended, the next thing to see is the login."""
    sent = corrections.send(clients().labeler, wish)
    if sent.logged_out:
        log_out(f"{sent.detail} Your correction is kept. {words.NO_RELOAD}")
    return sent


def labels() -> list[str]:
    """What an image can be called; asked once per tab."""
    if "labels" not in st.session_state:
        st.session_state.labels = clients().labeler.labels()
    found: list[str] = st.session_state.labels
    return found
