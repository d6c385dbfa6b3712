"""Whether promotions are frozen, as this tab last heard."""

import time

import streamlit as st

from services.labeler.ui.api_clients import Declined, LoggedOut
from services.labeler.ui.sessions.tab import clients
from shared.clients.answers import PromotionView
from shared.clients.labeler import get_champion
from shared.runtime.errors import TransientError

ASK_AGAIN_SECONDS = 2.0


def current_freeze() -> PromotionView | None:
    """Return the promotion that froze promotions; None if they are not frozen, or if the labeler does not answer."""
    heard_at, freeze = st.session_state.get("freeze", (float("-inf"), None))
    if time.monotonic() - heard_at < ASK_AGAIN_SECONDS:
        known: PromotionView | None = freeze
        return known
    try:
        champion = clients().labeler.send(get_champion())
    except (TransientError, Declined, LoggedOut):
        return None
    found = champion.freeze if champion is not None and champion.frozen else None
    st.session_state.freeze = (time.monotonic(), found)
    return found
