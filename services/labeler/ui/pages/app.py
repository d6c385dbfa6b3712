"""The script that Streamlit runs at every interaction: it chooses the page."""

from collections.abc import Callable

import streamlit as st

from services.labeler.ui.api_clients import Declined, LoggedOut
from services.labeler.ui.pages import login, review, upload
from services.labeler.ui.sessions.tab import clients, log_out, session
from shared.runtime.errors import TransientError

STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding-top: 2.5rem; max-width: 84rem; }
[data-testid="stMain"]:focus-visible, [data-testid="stMain"]:focus-visible::before,
[data-testid="stMain"]:focus-visible::after {
  outline: none; box-shadow: none; border: none;
}
h1 { font-size: 1.8rem !important; }
h3 { font-size: 1.4rem !important; }
[data-testid="stImage"] img { max-height: 72vh; object-fit: contain; border-radius: .6rem; }
</style>"""
# A key that is held down counts as one press: without this, every repetition would label another image.
ONE_PRESS_EACH = """<script>
if (!window.pappusOnePressEach) {
  window.pappusOnePressEach = true;
  window.addEventListener("keydown", (event) => {
    if (event.repeat && !event.target.closest?.("input, textarea") && event.key.length === 1) {
      event.stopImmediatePropagation();
    }
  }, true);
}
</script>"""


def run() -> None:
    """Show the chosen page, or the login."""
    st.set_page_config(page_title="Pappus", page_icon="🌼", layout="wide")
    st.html(STYLE)
    st.html(ONE_PRESS_EACH, unsafe_allow_javascript=True)
    current = session()
    if current is None:
        # The login has the addresses of all pages, so that a person who logs in again returns to the same page.
        pages = [
            st.Page(login.page, title="Log in", url_path="upload", default=True),
            st.Page(login.page, title="Log in", url_path="review"),
        ]
        st.navigation(pages, position="hidden").run()
        return
    clients().labeler.resume(current)
    chosen = st.navigation(
        [
            st.Page(
                upload.page, title="Upload", icon=":material/add_photo_alternate:", url_path="upload", default=True
            ),
            st.Page(review.page, title="Review", icon=":material/checklist:", url_path="review"),
        ]
    )
    with st.sidebar:
        st.caption(f"{current.name} · role: {current.role}")
        st.button("Log out", on_click=log_out, type="tertiary")
    guarded(chosen.run)


def guarded(page: Callable[[], None]) -> None:
    """Run a page. A failed request is shown as a warning; the end of the session leads to the login."""
    try:
        page()
    except LoggedOut as ended:
        log_out(str(ended))
        st.rerun()
    except (TransientError, Declined) as error:
        st.warning(str(error))
        st.button("Try again", shortcut="t")


if __name__ == "__main__":
    run()
