"""The page for somebody who is not logged in."""

import streamlit as st

from services.labeler.ui.clients import Declined, LoggedOut
from services.labeler.ui.state import clients, log_in
from shared.runtime.errors import TransientError


def page() -> None:
    """Ask for name and password."""
    _, middle, _ = st.columns([1, 1.4, 1])
    with middle:
        st.title("Pappus")
        st.markdown("Corrections fly; the model follows.")
        if message := st.session_state.get("login_message"):
            st.info(message)
        with st.form("login", border=True):
            name = st.text_input("Name", key="login-name", autocomplete="username")
            password = st.text_input("Password", type="password", key="login-password", autocomplete="current-password")
            asked = st.form_submit_button("Log in", type="primary", width="stretch")
        if asked:
            _log_in(name.strip(), password)


def _log_in(name: str, password: str) -> None:
    if not name or not password:
        st.warning("Name and password, please.")
        return
    try:
        session = clients().labeler.log_in(name, password)
    except (LoggedOut, Declined, TransientError) as error:
        st.error(str(error))
        return
    log_in(session)
    st.rerun()
