"""The notices on every page: that promotions are frozen, and that pictures or answers are not what they were."""

import streamlit as st

from services.labeler.ui import messages
from services.labeler.ui.sessions.champion import current_accuracy, current_drifts, current_freeze
from services.labeler.ui.sessions.tab import session

LOOK_EVERY_SECONDS = 5.0


@st.fragment(run_every=LOOK_EVERY_SECONDS)
def show_notices() -> None:
    """Show by whom and why promotions are frozen, while they are, and a drift until a training has answered it."""
    freeze, drifts, person = current_freeze(), current_drifts(), session()
    if person is None:
        return
    if freeze is not None:
        st.warning(messages.frozen(freeze, operator=person.role == "operator"), icon=":material/ac_unit:")
    for drift in drifts:
        st.info(messages.drifted(drift), icon=":material/trending_up:")


@st.fragment(run_every=LOOK_EVERY_SECONDS)
def show_live_accuracy() -> None:
    """Show how often people agreed with the answers they saw."""
    live = current_accuracy()
    if live is not None:
        st.caption(messages.live_accuracy(live))
