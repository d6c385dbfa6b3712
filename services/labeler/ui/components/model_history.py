"""The history of the models, folded to one line for each full one."""

from collections.abc import Sequence

import streamlit as st

from services.labeler.ui.components.command_dialog import model_commands
from services.labeler.ui.components.links import link_to_model
from services.labeler.ui.components.texts import small
from services.labeler.ui.messages import plain
from services.labeler.ui.sessions.commanding import Commanding
from services.labeler.ui.sessions.tab import clients
from services.labeler.ui.words import models as words
from shared.clients.answers import ModelView
from shared.clients.model_history import Generation, list_versions_on

SHOWN_VERSIONS = 30


def model_history(found: Sequence[Generation], commanding: Commanding) -> None:
    """Draw one line per full model, newest first; what stands on it is asked for when a person opens it."""
    for generation in found:
        row = st.expander(words.generation(generation), key=f"full-{generation.model.version}", on_change="rerun")
        if generation.model.state == "rejected" and not generation.model.waits_for_approval:
            small(plain(generation.model.summary))
        if row.open:
            with row:
                _open(generation, commanding)


def show_promotions(model: ModelView) -> None:
    """Draw all promotions of a version, oldest first."""
    st.markdown("\n".join(f"- {words.promotion(one)}" for one in model.promotions))


def _open(generation: Generation, commanding: Commanding) -> None:
    full = generation.model
    with st.container(horizontal=True, vertical_alignment="center"):
        link_to_model(full.version, f"Open {words.name(full)}")
        small(words.small_version(full), width="content")
        model_commands(commanding, full)
    if not full.promotions:
        st.markdown(plain(full.summary))
    show_promotions(full)
    st.caption(words.standing(generation))
    if not generation.versions:
        return
    versions = clients().labeler.send(list_versions_on(full.version, SHOWN_VERSIONS))
    for model in versions:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            link_to_model(model.version, words.name(model))
            small(words.line(model), width="content")
    if hint := words.versions_hint(len(versions), generation.versions):
        st.caption(hint)
