"""What a browser tab holds: its API clients, its login, and the labels."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import httpx2
import streamlit as st

from services.labeler.settings import UiSettings
from services.labeler.ui.api_clients import LabelerClient, PredictorClient
from services.labeler.ui.sessions import cookie
from services.labeler.ui.sessions.kept_work import NAMES, keep
from shared.clients import labeler
from shared.clients.answers import Labels, Session
from shared.clients.api import BlockingApi
from shared.contract.roles import Role, may_act_as
from shared.runtime.errors import PappusError

COMMAND_TIMEOUT_SECONDS = 30.0  # longer than the labeler waits for an outcome
PREDICT_TIMEOUT_SECONDS = 10.0
LABELS, LABELS_SECONDS = "asked_labels", 5.0
"""In the state of the tab: the labels and when they were requested, which is done again after so long."""


@dataclass(frozen=True)
class Clients:
    """The clients of the two APIs."""

    labeler: LabelerClient
    predictor: PredictorClient

    def call_classes(self, names: Mapping[str, str]) -> None:
        """Read later answers of both with these names of classes, by label."""
        self.labeler.shown.names = self.predictor.shown.names = names


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


@dataclass(frozen=True)
class Addresses:
    """Where else people can look; empty where that is not known."""

    mlflow: str = ""
    jaeger: str = ""


def addresses() -> Addresses:
    """Return the addresses that the pages link to, read once per tab."""
    if "addresses" not in st.session_state:
        settings = UiSettings()
        mlflow, jaeger = settings.mlflow_public_url.rstrip("/"), settings.jaeger_public_url.rstrip("/")
        st.session_state.addresses = Addresses(mlflow, jaeger)
    found: Addresses = st.session_state.addresses
    return found


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


def may(role: Role) -> bool:
    """Return whether the person of this tab has the rights of `role`; False without a login."""
    current = session()
    return current is not None and may_act_as(current.role, role)


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
    """Return what people call the labels an image can have now."""
    found = _asked_labels()
    return tuple(found.names.get(label, label) for label in found.labels)


def class_names() -> Mapping[str, str]:
    """Return what people call the classes now, by label."""
    return _asked_labels().names


def know_names() -> None:
    """Request what people call the classes, before anything is read. A failure is left to the page, which shows it."""
    with suppress(PappusError):
        _asked_labels()


def forget_labels() -> None:
    """Request the labels anew when they are needed next: they were changed."""
    st.session_state.pop(LABELS, None)


def model_name() -> str:
    """Return the name of the model that learns the labels."""
    return _asked_labels().model_name


def _asked_labels() -> Labels:
    """Request the labels, again after some seconds: an operator may add or rename a class. While the labeler does not
    answer, those of before count."""
    now = time.monotonic()
    asked: tuple[float, Labels] | None = st.session_state.get(LABELS)
    if asked is not None and now - asked[0] < LABELS_SECONDS:
        return asked[1]
    try:
        found = clients().labeler.send(labeler.get_labels())
    except PappusError:
        if asked is None:
            raise
        found = asked[1]
    clients().call_classes(found.names)
    st.session_state[LABELS] = now, found
    return found
