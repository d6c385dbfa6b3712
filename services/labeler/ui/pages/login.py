"""The login page."""

import streamlit as st

from services.labeler.ui.api_clients import Declined, LoggedOut
from services.labeler.ui.messages import plain
from services.labeler.ui.sessions.tab import clients, log_in
from shared.clients import labeler
from shared.runtime.errors import TransientError


def page() -> None:
    """Ask for name and password."""
    _, middle, _ = st.columns([1, 1.4, 1])
    with middle:
        st.title("Pappus")
        st.markdown("Corrections fly; the model follows.")
        if message := st.session_state.get("login_message"):
            st.info(plain(message))
        with st.form("login", border=True):
            name = st.text_input("Name", key="login-name", autocomplete="username")
            password = st.text_input("Password", type="password", key="login-password", autocomplete="current-password")
            submitted = st.form_submit_button("Log in", type="primary", width="stretch")
        if submitted:
            _log_in(name.strip(), password)


def _log_in(name: str, password: str) -> None:
    if not name or not password:
        st.warning("Enter your name and your password.")
        return
    client = clients().labeler
    try:
        session = client.send(labeler.log_in(name, password))
    except (LoggedOut, Declined, TransientError) as error:
        st.error(plain(str(error)))
        return
    client.resume(session)
    log_in(session)
    st.rerun()
