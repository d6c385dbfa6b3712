"""The model in service, as this tab last heard: whether promotions are frozen, and whether there is a drift."""

import time
from contextlib import suppress

import streamlit as st

from services.labeler.ui.api_clients import Declined, LoggedOut
from services.labeler.ui.sessions.tab import clients
from shared.clients.answers import ChampionView, DriftView, LiveAccuracy, PromotionView
from shared.clients.labeler import get_champion
from shared.runtime.errors import TransientError

ASK_AGAIN_SECONDS = 2.0
FEWEST_ANSWERS = 10
"""Of fewer decisions the share says nothing yet."""


def current_freeze() -> PromotionView | None:
    """Return the promotion that froze promotions; None if they are not frozen, or if the labeler does not answer."""
    champion = _current_champion()
    return champion.freeze if champion is not None and champion.frozen else None


def last_known_freeze() -> PromotionView | None:
    """Return the same as this tab last heard, without a request."""
    _, champion = st.session_state.get("champion", (0.0, None))
    return champion.freeze if champion is not None and champion.frozen else None


def current_drifts() -> list[DriftView]:
    """Return the newest open drift of each kind; empty without one, or if the labeler does not answer."""
    champion = _current_champion()
    newest = {drift.statistic: drift for drift in reversed(champion.drifts)} if champion is not None else {}
    return list(newest.values())


def current_accuracy() -> LiveAccuracy | None:
    """Return how often people agreed since the last full model; None before some have decided, or if the labeler does
    not answer."""
    champion = _current_champion()
    live = None if champion is None else champion.live_since_full
    return live if live is not None and live.answers >= FEWEST_ANSWERS else None


def _current_champion() -> ChampionView | None:
    heard_at, champion = st.session_state.get("champion", (float("-inf"), None))
    if time.monotonic() - heard_at < ASK_AGAIN_SECONDS:
        known: ChampionView | None = champion
        return known
    found: ChampionView | None = None
    with suppress(TransientError, Declined, LoggedOut):  # not asked again at once: the page would wait each time
        found = clients().labeler.send(get_champion())
    st.session_state.champion = (time.monotonic(), found)
    return found
