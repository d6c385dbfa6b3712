"""The login page: with a provider, with name and password, or both."""

from contextlib import suppress
from html import escape

import streamlit as st

from services.labeler.ui.api_clients import Declined, LoggedOut
from services.labeler.ui.messages import plain
from services.labeler.ui.sessions.tab import clients, log_in
from services.labeler.ui.words import sign_on as words
from shared.clients import labeler
from shared.clients.sign_on import LoginOptions, get_login_options
from shared.runtime.errors import TransientError

STYLE = """<style>
[data-testid="stMain"] a.pappus-provider {
  display: flex; align-items: center; justify-content: center; min-height: 2.75rem; padding: 0 1rem;
  border-radius: .6rem; background: #3d7a35; color: #fff; text-decoration: none;
}
[data-testid="stMain"] a.pappus-provider:hover { background: #32652b; }
[data-testid="stMain"] a.pappus-provider:focus-visible { outline: 3px solid currentColor; outline-offset: 3px; }
</style>"""


def page() -> None:
    """Ask who the person is."""
    _, middle, _ = st.columns([1, 1.4, 1])
    with middle:
        st.title("Pappus")
        st.markdown("Corrections fly; the model follows.")
        if message := st.session_state.get("login_message"):
            st.info(plain(message))
        options = _options()
        if options.provider is not None:
            _offer(options.provider)
            if options.passwords == "off":
                return
            if options.passwords == "admins":
                with st.expander(words.ONLY_ADMINS):
                    _password()
                return
            st.caption(words.OR)
        _password()


def _options() -> LoginOptions:
    """Return how people may log in. Without an answer the form is shown, and says why it does not work."""
    with suppress(LoggedOut, Declined, TransientError):
        return clients().labeler.send(get_login_options())
    return LoginOptions()


def _offer(provider: str) -> None:
    """Show the way to the provider: a link of this tab, for all that Streamlit's own would open in another one."""
    label = escape(words.log_in_with(provider))
    st.html(f'{STYLE}<a class="pappus-provider" href="{words.LOGIN}" target="_self">{label}</a>')


def _password() -> None:
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
