"""The buttons by which an operator commands the gate, and the dialog that asks for the reason."""

from functools import partial

import streamlit as st

from services.labeler.ui.messages import plain
from services.labeler.ui.sessions.commanding import Command, Commanding
from services.labeler.ui.sessions.tab import may
from services.labeler.ui.words import commands
from services.labeler.ui.words import models as words
from shared.clients.answers import ModelView
from shared.clients.labeler import GateAction

REASON = "command-reason"


def command_button(
    commanding: Commanding, label: str, action: GateAction | None, model: ModelView | None = None
) -> None:
    """Draw a button that opens the dialog of an action, for those who may; `action` None is a training."""
    if not may("operator"):
        return
    version, name = (None, "") if model is None else (model.version, words.name(model))
    st.button(
        label,
        key=f"command-{action}-{version}",
        on_click=_ask,
        args=(commanding, Command(action, version, name)),
    )


def model_commands(commanding: Commanding, model: ModelView) -> None:
    """Draw what an operator may do with one model."""
    with st.container(horizontal=True):
        if model.state == "former":
            command_button(commanding, "Roll back to it …", "rollback", model)
        if model.waits_for_approval or model.state == "candidate":
            command_button(commanding, "Approve …", "approve", model)
        if model.state == "rejected" and not model.waits_for_approval:
            command_button(commanding, "Override the gate …", "override", model)


def show_commands(commanding: Commanding) -> None:
    """Draw the open dialog, if there is one, and what the last command did."""
    if commanding.done:
        st.success(commanding.done, icon=":material/check_circle:")
    if commanding.asked is not None:
        said = commands.asked(commanding.asked.name, plain(commanding.asked.model))
        st.dialog(said.title, on_dismiss=commanding.cancel)(partial(_dialog, commanding, said))()


def _ask(commanding: Commanding, command: Command) -> None:
    st.session_state.pop(REASON, None)
    commanding.ask(command)


def _dialog(commanding: Commanding, said: commands.Asked) -> None:
    st.markdown(said.means)
    with st.form("command", border=False):
        reason = st.text_input("Why?", key=REASON, max_chars=500)
        if st.form_submit_button(said.button, type="primary"):
            with st.spinner("Asking the gate …"):
                done = commanding.confirm(reason)
            if done:
                st.rerun()
    if commanding.refused:
        st.error(commanding.refused)
    if st.button("Cancel"):
        commanding.cancel()
        st.rerun()
