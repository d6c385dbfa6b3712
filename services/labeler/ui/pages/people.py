"""The People page: who may log in, what each person decided, and, for admins, what they may do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st

from services.labeler.ui.api_clients import Declined
from services.labeler.ui.messages import plain
from services.labeler.ui.metrics import PAGE_VIEWS
from services.labeler.ui.sessions.tab import clients, session
from services.labeler.ui.words import people as words
from shared.clients.people import (
    NewPassword,
    PersonView,
    add_person,
    change_role,
    disable_person,
    enable_person,
    join_person,
    list_people,
    reset_password,
)
from shared.clients.request import ApiRequest
from shared.clients.sign_on import get_login_options
from shared.contract.roles import ROLES
from shared.runtime.errors import TransientError

DONE, FORMS = "people_done", "people_forms"
"""In the state of the tab: what the last change did, and how many worked, so that the form is empty after each."""
Changed = TypeVar("Changed", bound=PersonView)


@dataclass(frozen=True)
class Done:
    """What the last change did, and the password that it made, if any."""

    sentence: str
    password: str = ""
    worked: bool = False


def page() -> None:
    """Show everyone who may log in."""
    PAGE_VIEWS.labels("people").inc()
    st.title("People")
    current = session()
    admin = current is not None and current.role == "admin"
    _show_done()
    people = clients().labeler.send(list_people())
    provider = (clients().labeler.send(get_login_options()).provider or "") if admin else ""
    if admin:
        _add()
    for person in people:
        _show(person, provider, admin=admin, own=current is not None and person.name == current.name)
    if not admin:
        st.caption("An admin adds people and changes what they may do.")


def _add() -> None:
    with st.form(f"add-{st.session_state.get(FORMS, 0)}", border=True):
        st.markdown("**Add a person**")
        name, role, send = st.columns([2, 2, 1], vertical_alignment="bottom")
        with name:
            typed = st.text_input("Name", max_chars=100, autocomplete="off")
        with role:
            chosen = st.selectbox("Role", ROLES, index=1, format_func=lambda each: f"{each}: {words.RIGHTS[each]}")
        with send:
            pressed = st.form_submit_button("Add", type="primary", width="stretch")
    if pressed and not typed.strip():
        st.warning("Type a name first.")
    elif pressed:
        _change(add_person(typed, chosen), words.new_password)


def _show(person: PersonView, provider: str, *, admin: bool, own: bool) -> None:
    with st.container(border=True):
        who, work, change = st.columns([1.4, 3, 1], vertical_alignment="center")
        with who:
            st.markdown(f"**{plain(person.name)}** · {person.role}")
            st.caption(plain(words.state_of(person)))
        with work:
            st.markdown(words.work_done(person.work))
        with change:
            if own:
                st.caption("This is you: see Me.")
            elif admin and person.made_by is not None:
                _changes(person, provider)
            elif admin:
                st.caption("Changed with `pappus users`.")


def _changes(person: PersonView, provider: str) -> None:
    with st.popover("Change", width="stretch"):
        role = st.selectbox("Role", ROLES, index=ROLES.index(person.role), key=f"role-{person.name}")
        if st.button("Set the role", key=f"set-{person.name}", disabled=role == person.role, width="stretch"):
            _change(change_role(person.name, role), lambda now: f"{plain(now.name)} is {now.role} now.")
        if person.issuer is None and st.button("Make a new password", key=f"password-{person.name}", width="stretch"):
            _change(reset_password(person.name), words.new_password)
        if provider:
            _join(person, provider)
        if person.disabled_at is None:
            if st.button("Keep out", key=f"out-{person.name}", width="stretch"):
                _change(disable_person(person.name), words.kept_out)
        elif st.button("Let in again", key=f"in-{person.name}", width="stretch"):
            _change(enable_person(person.name), words.kept_out)


def _join(person: PersonView, provider: str) -> None:
    subject = st.text_input(
        f"Identifier at {provider}", key=f"subject-{person.name}", max_chars=255, help=words.JOIN_HELP
    )
    pressed = st.button(f"Log in with {provider}", key=f"join-{person.name}", width="stretch")
    if pressed and subject.strip():
        _change(join_person(person.name, subject.strip()), words.joined)


def _change(request: ApiRequest[Changed], say: Callable[[Changed], str]) -> None:
    """Send a change, remember what it did, and draw the page again."""
    try:
        person = clients().labeler.send(request)
    except (Declined, TransientError) as error:
        st.session_state[DONE] = Done(plain(str(error)))
    else:
        st.session_state[DONE] = Done(say(person), person.password if isinstance(person, NewPassword) else "", True)
        st.session_state[FORMS] = st.session_state.get(FORMS, 0) + 1
    st.rerun()


def _show_done() -> None:
    """Show what the last change did; a password stays until the admin has it."""
    done: Done | None = st.session_state.get(DONE)
    if done is None:
        return
    (st.success if done.worked else st.warning)(done.sentence)
    if done.password:
        st.code(done.password, language=None)
        st.button("I have it", on_click=lambda: st.session_state.pop(DONE))
    else:
        del st.session_state[DONE]
