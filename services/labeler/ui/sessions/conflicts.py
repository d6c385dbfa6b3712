"""Labels of the person that contradict another person's, as this tab last heard."""

import time
from contextlib import suppress

import streamlit as st

from services.labeler.ui.api_clients import Declined, LoggedOut
from services.labeler.ui.sessions.tab import clients
from shared.clients.answers import LabelConflict
from shared.clients.labeler import list_conflicts
from shared.runtime.errors import TransientError

ASK_AGAIN_SECONDS = 4.0
SHOWN = 3


def current_conflicts() -> list[LabelConflict]:
    """Return the newest conflicts of the person; empty without one, or if the labeler does not answer."""
    heard_at, found = st.session_state.get("conflicts", (float("-inf"), []))
    if time.monotonic() - heard_at < ASK_AGAIN_SECONDS:
        known: list[LabelConflict] = found
        return known
    asked: list[LabelConflict] = []
    with suppress(TransientError, Declined, LoggedOut):  # not asked again at once: the page would wait each time
        asked = clients().labeler.send(list_conflicts(SHOWN))
    st.session_state.conflicts = (time.monotonic(), asked)
    return asked
