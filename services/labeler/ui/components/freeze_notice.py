"""The notice on every page that promotions are frozen."""

import streamlit as st

from services.labeler.ui import messages
from services.labeler.ui.sessions.freeze import current_freeze
from services.labeler.ui.sessions.tab import session

LOOK_EVERY_SECONDS = 5.0


@st.fragment(run_every=LOOK_EVERY_SECONDS)
def show_freeze() -> None:
    """Show by whom and why promotions are frozen, while they are."""
    freeze, person = current_freeze(), session()
    if freeze is not None and person is not None:
        st.warning(messages.frozen(freeze, operator=person.role == "operator"), icon=":material/ac_unit:")
