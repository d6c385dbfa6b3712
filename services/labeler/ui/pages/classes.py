"""The Classes page: what an image can show. An operator adds a class, or gives one another name, while everything
runs."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from services.labeler.ui.api_clients import Declined
from services.labeler.ui.components.links import browse_address
from services.labeler.ui.messages import plain
from services.labeler.ui.metrics import PAGE_VIEWS
from services.labeler.ui.sessions.tab import clients, forget_labels
from services.labeler.ui.words import classes as words
from shared.clients.answers import Accepted
from shared.clients.classes import ClassChanged, ClassView, add_class, list_classes, rename_class
from shared.clients.request import ApiRequest
from shared.runtime.errors import TransientError

DONE, FORMS = "classes_done", "classes_forms"
"""In the state of the tab: what the last change did, and how many worked, so that the form is empty after each."""
Changed = ClassChanged | Accepted


@dataclass(frozen=True)
class Done:
    """What the last change did, in a sentence."""

    sentence: str
    worked: bool = False


def page() -> None:
    """Show the classes in their order."""
    PAGE_VIEWS.labels("classes").inc()
    st.title("Classes")
    st.markdown(words.ABOUT)
    _show_done()
    _add()
    for one in clients().labeler.send(list_classes()):
        _show(one)


def _add() -> None:
    with st.form(f"add-{st.session_state.get(FORMS, 0)}", border=True):
        st.markdown("**Add a class**")
        name, reason, send = st.columns([2, 3, 1], vertical_alignment="bottom")
        typed = name.text_input("Name", max_chars=100, autocomplete="off")
        why = reason.text_input("Why (kept in the history)", max_chars=500, autocomplete="off")
        pressed = send.form_submit_button("Add", type="primary", width="stretch")
    if pressed and not typed.strip():
        st.warning("Type a name first.")
    elif pressed:
        _change(add_class(typed, why), words.added)


def _show(one: ClassView) -> None:
    with st.container(border=True):
        what, change = st.columns([4, 1], vertical_alignment="center")
        with what:
            st.markdown(f"**[{plain(one.name)}]({browse_address(label=one.name)})** · {words.known_of(one)}")
            if before := words.called_before(one):
                st.caption(before)
        with change, st.popover("Rename", width="stretch"), st.form(f"rename-{one.id}", border=False):
            typed = st.text_input("New name", one.name, max_chars=100, key=f"name-{one.id}", autocomplete="off")
            why = st.text_input("Why (kept in the history)", max_chars=500, key=f"why-{one.id}", autocomplete="off")
            pressed = st.form_submit_button("Rename", type="primary", width="stretch", key=f"send-{one.id}")
        if pressed and typed.strip() in ("", one.name):
            st.warning("Type another name first.")
        elif pressed:
            _change(rename_class(one.id, typed, why), lambda done: words.renamed(done, one.name))


def _change(request: ApiRequest[Changed], say: Callable[[Changed], str]) -> None:
    """Send a change, remember what it did, and draw the page again."""
    try:
        done = clients().labeler.send(request)
    except (Declined, TransientError) as error:
        st.session_state[DONE] = Done(plain(str(error)))
    else:
        forget_labels()
        st.session_state[DONE] = Done(say(done), worked=True)
        st.session_state[FORMS] = st.session_state.get(FORMS, 0) + 1
    st.rerun()


def _show_done() -> None:
    done: Done | None = st.session_state.pop(DONE, None)
    if done is not None:
        (st.success if done.worked else st.warning)(done.sentence)
