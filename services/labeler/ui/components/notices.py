"""The notices on every page: that promotions are frozen, that pictures or answers are not what they were, and that
labels of the person contradict others."""

import streamlit as st

from services.labeler.ui import messages
from services.labeler.ui.sessions.champion import current_accuracy, current_drifts, current_freeze
from services.labeler.ui.sessions.conflicts import current_conflicts
from services.labeler.ui.sessions.tab import may, session

LOOK_EVERY_SECONDS = 5.0


@st.fragment(run_every=LOOK_EVERY_SECONDS)
def show_notices() -> None:
    """Show by whom and why promotions are frozen, while they are, a drift until a training has answered it, and labels
    that contradict others until one of the two is changed."""
    freeze, drifts, person = current_freeze(), current_drifts(), session()
    if person is None:
        return
    if freeze is not None:
        st.warning(messages.frozen(freeze, operator=may("operator")), icon=":material/ac_unit:")
    for drift in drifts:
        st.info(messages.drifted(drift), icon=":material/trending_up:")
    for conflict in current_conflicts():
        st.warning(messages.label_conflict(conflict, person.name), icon=":material/call_split:")


@st.fragment(run_every=LOOK_EVERY_SECONDS)
def show_live_accuracy() -> None:
    """Show how often people agreed with the answers they saw."""
    live = current_accuracy()
    if live is not None:
        st.caption(messages.live_accuracy(live))
