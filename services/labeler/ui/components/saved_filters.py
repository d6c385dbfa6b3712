"""Filters that a person saved: Browse keeps them, and Review lists each among its queues."""

import streamlit as st

from services.labeler.ui.api_clients import Declined
from services.labeler.ui.messages import plain
from services.labeler.ui.sessions.browse_address import write_address
from services.labeler.ui.sessions.tab import clients
from shared.clients.browse import ImageFilter, Sort
from shared.clients.review import forget_filter, list_filters, save_filter

NAME = "filter-to-save"
TROUBLE = "filter-trouble"


def show_saved_filters(asked: ImageFilter, sort: Sort) -> None:
    """Draw what opens the saved filters, and saves the one that is shown."""
    with st.popover("Saved filters", icon=":material/bookmark:"):
        for saved in clients().labeler.send(list_filters()):
            with st.container(horizontal=True, vertical_alignment="center"):
                address = write_address(saved.filter, saved.sort)
                st.button(
                    plain(saved.name), key=f"open-{saved.name}", on_click=st.query_params.from_dict, args=(address,)
                )
                st.button("Forget", key=f"forget-{saved.name}", on_click=_forget, args=(saved.name,), type="tertiary")
        st.text_input("Save these filters as", key=NAME, max_chars=100, placeholder="a name for them")
        st.button("Save", on_click=_save, args=(asked, sort))
        if trouble := st.session_state.get(TROUBLE):
            st.warning(plain(trouble))
        st.markdown("Review lists each of them among its queues.")


def _save(asked: ImageFilter, sort: Sort) -> None:
    name = str(st.session_state.get(NAME) or "").strip()
    st.session_state[TROUBLE] = "" if name else "Type a name first."
    if name:
        try:
            clients().labeler.send(save_filter(name, asked, sort))
            st.session_state[NAME] = ""
        except Declined as refused:
            st.session_state[TROUBLE] = str(refused)


def _forget(name: str) -> None:
    clients().labeler.send(forget_filter(name))
