"""The Models page: what is in service, how it came there, and what an operator may do about it."""

from dataclasses import dataclass, field

import streamlit as st

from services.labeler.ui.api_clients import Declined
from services.labeler.ui.components.accuracy_chart import accuracy_chart
from services.labeler.ui.components.champion_card import champion_card
from services.labeler.ui.components.command_dialog import command_button, model_commands, show_commands
from services.labeler.ui.components.learning_curve import learning_curve
from services.labeler.ui.components.links import link_to_model
from services.labeler.ui.components.model_detail import model_detail
from services.labeler.ui.components.model_history import model_history
from services.labeler.ui.messages import plain
from services.labeler.ui.metrics import PAGE_VIEWS
from services.labeler.ui.sessions.commanding import Commanding
from services.labeler.ui.sessions.tab import clients
from services.labeler.ui.words import models as words
from shared.clients.answers import ModelView
from shared.clients.labeler import get_champion, get_first_model, get_model, list_models
from shared.clients.model_history import Generation, get_learning_curve, list_generations, list_promotions

SHOWN, MORE = 10, 20
COMPARABLE = 50
"""So many of the newest models are offered to compare with."""


@dataclass
class ModelsSession:
    """The dialog that is open, and how many full models are listed."""

    commanding: Commanding = field(default_factory=Commanding)
    listed: int = SHOWN

    def list_more(self) -> None:
        """List more full models."""
        self.listed += MORE


def page() -> None:
    """Show all models, or the one that the address names."""
    PAGE_VIEWS.labels("models").inc()
    shown: ModelsSession = st.session_state.setdefault("models_session", ModelsSession())
    show_commands(shown.commanding)
    version = st.query_params.get("version")
    if version:
        _show_one(version, st.query_params.get("against"), shown.commanding)
    else:
        _show_all(shown)


def _show_all(shown: ModelsSession) -> None:
    st.title("Models", anchor=False)
    champion = clients().labeler.send(get_champion())
    if champion is None:
        waits_for = clients().labeler.send(get_first_model()).waits_for
        st.info(f"No model is in service yet. {plain(waits_for)}")
        command_button(shown.commanding, "Train in full …", None)
    else:
        champion_card(champion, shown.commanding)
    found = clients().labeler.send(list_generations(shown.listed + 1))
    _show_waiting([each for each in found if each.model.waits_for_approval], shown.commanding)
    accuracy_chart(clients().labeler.send(list_promotions()))
    if not found:
        return
    learning_curve(clients().labeler.send(get_learning_curve()))
    st.subheader("History", anchor=False)
    model_history(found[: shown.listed], shown.commanding)
    if len(found) > shown.listed:
        st.button("Show older ones", on_click=shown.list_more)


def _show_waiting(waiting: list[Generation], commanding: Commanding) -> None:
    for generation in waiting:
        model = generation.model
        with st.container(border=True):
            st.markdown(f"**{plain(words.name(model))} waits for an operator.** {plain(model.summary)}")
            link_to_model(model.version, "Look at it")
            model_commands(commanding, model)


def _show_one(version: str, against: str | None, commanding: Commanding) -> None:
    model = _find(version)
    if model is None:
        st.title("Models", anchor=False)
        st.warning(words.UNKNOWN.format(version=plain(version)))
        link_to_model(None, "All models")
        return
    others = clients().labeler.send(list_models(COMPARABLE))
    other = _find(against or model.parent)
    if against and other is None:
        st.warning(words.UNKNOWN.format(version=plain(against)))
    model_detail(model, other, others, commanding)


def _find(version: str | None) -> ModelView | None:
    if not version:
        return None
    try:
        return clients().labeler.send(get_model(version))
    except Declined:
        return None
