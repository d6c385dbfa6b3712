"""The script that Streamlit runs at every interaction: it chooses the page."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import streamlit as st

from services.labeler.ui.api_clients import Declined, LoggedOut
from services.labeler.ui.components.notices import show_live_accuracy, show_notices
from services.labeler.ui.components.presses import watch_presses
from services.labeler.ui.messages import plain
from services.labeler.ui.pages import login
from services.labeler.ui.pages.menu import ENTRIES, Entry, entries_for
from services.labeler.ui.sessions import cookie
from services.labeler.ui.sessions.kept_work import adopt, keep
from services.labeler.ui.sessions.tab import clients, know_names, log_out, resume_login, session
from shared.runtime.errors import TransientError

STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding-top: 2.5rem; max-width: 84rem; }
[data-testid="stMain"]:focus-visible, [data-testid="stMain"]:focus-visible::before,
[data-testid="stMain"]:focus-visible::after {
  outline: none; box-shadow: none; border: none;
}
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] code { color: inherit; opacity: .85; }
button[data-selected="true"], button[data-selected="true"] p { color: inherit !important; }
h1 { font-size: 1.8rem !important; }
h3 { font-size: 1.4rem !important; }
[data-testid="stPageLink"] a { text-decoration: underline; }
@media (max-width: 640px) { [data-testid="stMain"] :is(button, [data-testid="stPageLink"] a) { min-height: 2.75rem; } }
[data-testid="stElementContainer"][data-stale="true"] { opacity: 1; transition: none; }
[data-testid="stImage"] img { max-height: 72vh; object-fit: contain; border-radius: .6rem; }
</style>"""
REMEMBER_LOGIN = f"<script>fetch('{cookie.PATH}', {{method: 'POST', body: 'TICKET'}});</script>"
FORGET_LOGIN = f"<script>fetch('{cookie.PATH}', {{method: 'DELETE', body: 'HASH'}});</script>"
LOGIN_SECONDS = 5.0


def run() -> None:
    """Show the chosen page, or the login."""
    st.set_page_config(page_title="Pappus", page_icon="🌼", layout="wide")
    st.html(STYLE)
    watch_presses()
    resume_login()
    current = session()
    if current is None:
        if ended := st.session_state.get("ended"):
            st.html(FORGET_LOGIN.replace("HASH", ended), unsafe_allow_javascript=True)
        # The login has the addresses of all pages, so that a person who logs in again returns to the same page.
        st.navigation(_pages([replace(entry, page=login.page) for entry in ENTRIES]), position="hidden").run()
        return
    clients().labeler.resume(current)
    know_names()
    if cookie.pending(st.session_state.get("ticket", "")):
        _send_ticket(st.session_state.ticket, time.monotonic())
        return
    adopt(current)
    keep(current)
    chosen = st.navigation(_pages(entries_for(current)))
    with st.sidebar:
        st.caption(plain(current.name) if current.name == current.role else f"{plain(current.name)} · {current.role}")
        st.button("Log out", on_click=log_out, type="tertiary")
        show_live_accuracy()
    show_notices()
    guarded(chosen.run)


def _pages(entries: Sequence[Entry]) -> list[st.Page]:
    """Return these pages with their addresses. The first is the home page, which Streamlit has at / alone: for links it
    is there under its own address, too."""

    def page(entry: Entry, listed: bool, home: bool = False) -> st.Page:
        return st.Page(
            entry.page,
            title=entry.title,
            icon=f":material/{entry.icon}:",
            url_path=None if home else entry.path,
            default=home,
            visibility="visible" if listed else "hidden",
        )

    home, *others = entries
    return [page(home, True, home=True), *(page(each, each.listed) for each in others), page(home, False)]


def _send_ticket(ticket: str, since: float) -> None:
    """Let the browser exchange the ticket for the cookie, and show the page as soon as it has it."""
    st.html(REMEMBER_LOGIN.replace("TICKET", ticket), unsafe_allow_javascript=True)

    @st.fragment(run_every=0.1)
    def wait() -> None:
        st.caption("Logging in …")
        if time.monotonic() - since > LOGIN_SECONDS:
            st.session_state.ticket = ""  # without the cookie the session lasts as long as this tab
        if not cookie.pending(st.session_state.ticket):
            st.rerun()

    wait()


def guarded(page: Callable[[], None]) -> None:
    """Run a page. A failed request is shown as a warning; the end of the session leads to the login."""
    try:
        page()
    except LoggedOut as ended:
        log_out(str(ended))
        st.rerun()
    except (TransientError, Declined) as error:
        st.warning(plain(str(error)))
        st.button("Try again", shortcut="t")


if __name__ == "__main__":
    run()
