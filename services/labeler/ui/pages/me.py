"""The Me page: what the person decided, their password, and the keys."""

import streamlit as st

from services.labeler.ui.api_clients import Declined
from services.labeler.ui.messages import plain
from services.labeler.ui.metrics import PAGE_VIEWS
from services.labeler.ui.sessions.tab import clients, log_out
from services.labeler.ui.words import people as words
from shared.clients.people import change_own_password, get_me
from shared.runtime.errors import TransientError


def page() -> None:
    """Show the person to themselves."""
    PAGE_VIEWS.labels("me").inc()
    me = clients().labeler.send(get_me())
    st.title("Me")
    st.markdown(f"**{plain(me.name)}** · {me.role}: {words.RIGHTS[me.role]}.")
    st.markdown(words.work_done(me.work))
    st.subheader("Password")
    if me.made_by is None:
        st.markdown(words.OF_FILE)
    elif me.issuer is not None:
        st.markdown(words.of_provider(me.issuer))
    else:
        _password()
    st.caption("The pages are light or dark as your system is.")


def _password() -> None:
    with st.form("password", border=True):
        present = st.text_input("Present password", type="password", autocomplete="current-password")
        new = st.text_input(
            "New password",
            type="password",
            autocomplete="new-password",
            help=f"At least {words.SHORTEST_PASSWORD} characters",
        )
        again = st.text_input("New password again", type="password", autocomplete="new-password")
        pressed = st.form_submit_button("Change it", type="primary")
    if not pressed:
        return
    if new != again:
        st.warning("The new password is not the same in both fields. Type it again.")
        return
    try:
        clients().labeler.send(change_own_password(present, new))
    except (Declined, TransientError) as error:
        st.warning(plain(str(error)))
        return
    log_out("Your password is changed, and you are logged out everywhere. Log in with the new one.")
    st.rerun()
