"""One model, and how it differs from another one."""

import json
from collections.abc import Sequence
from urllib.parse import quote, urlencode

import streamlit as st

from services.labeler.ui.api_clients import Declined
from services.labeler.ui.components.command_dialog import model_commands
from services.labeler.ui.components.links import link_to_model
from services.labeler.ui.components.model_history import show_promotions
from services.labeler.ui.components.texts import small
from services.labeler.ui.components.thumbnails import thumbnails
from services.labeler.ui.components.verdict import show_classes, show_rules
from services.labeler.ui.messages import plain
from services.labeler.ui.sessions.commanding import Commanding
from services.labeler.ui.sessions.tab import addresses, clients, model_name
from services.labeler.ui.words import models as words
from shared.clients.answers import ModelView
from shared.clients.model_history import DataChange, compare_models, get_data_difference

AGAINST = "models-against"


def model_detail(
    model: ModelView, other: ModelView | None, others: Sequence[ModelView], commanding: Commanding
) -> None:
    """Draw a model; compared with `other`, None if there is none, out of `others`."""
    link_to_model(None, "All models")
    st.title(words.name(model), anchor=False)
    small(f"{words.small_version(model)} · {words.state(model)} · {words.lane(model)}")
    st.markdown(f"**{words.percent(model.accuracy)}** {words.accuracy_basis(model)}. {plain(model.summary)}")
    show_promotions(model)
    model_commands(commanding, model)
    _show_addresses(model)
    if other is not None:
        _choose_other(model, other, others)
        _show_changed_images(model, other)
    if model.evidence is not None:
        st.subheader("Each class", anchor=False)
        show_classes(model.evidence, other)
    if model.verdict:
        st.subheader("Why the gate decided so", anchor=False)
        show_rules(model)
    if other is not None:
        _show_data(model, other)


def _choose_other(model: ModelView, other: ModelView, others: Sequence[ModelView]) -> None:
    names = {each.version: words.long_name(each) for each in (other, *others) if each.version != model.version}
    st.session_state[AGAINST] = other.version
    st.subheader("Compared with", anchor=False)
    st.selectbox(
        "Compared with",
        list(names),
        format_func=lambda version: names[version],
        key=AGAINST,
        label_visibility="collapsed",
        on_change=lambda: st.query_params.update({"against": st.session_state[AGAINST]}),
    )


def _show_changed_images(model: ModelView, other: ModelView) -> None:
    found = clients().labeler.send(compare_models(model.version, other.version))
    st.markdown(words.compared(len(found.gained), len(found.lost), words.name(other)))
    for images, title, alt in (
        (found.gained, "What it fixed", "Only this model has it right"),
        (found.lost, "What it broke", "Only the other model has it right"),
    ):
        if images:
            st.markdown(f"**{title}**")
            thumbnails([(one.image_id, one.label or "no label") for one in images], alt)
    if found.why_incomplete:
        st.caption(plain(found.why_incomplete))


def _show_data(model: ModelView, other: ModelView) -> None:
    st.subheader("What it learned from", anchor=False)
    row = st.expander(
        f"Compared with the data of {words.name(other)}", key=f"data-{model.version}-{other.version}", on_change="rerun"
    )
    if not row.open:
        return
    with row:
        try:
            found = clients().labeler.send(get_data_difference(model.version, other.version))
        except Declined as lost:
            st.caption(plain(str(lost)))
            return
        st.markdown(words.data_difference(found, words.name(other)))
        thumbnails([(change.image_id, _change(change)) for change in found.changes], "An image that was learned")
        if len(found.changes) < found.added + found.removed + found.relabelled:
            st.caption(f"The first {len(found.changes)} images are shown.")


def _change(change: DataChange) -> str:
    if change.before is not None and change.after is not None:
        return f"{change.before.label} → {change.after.label}"
    return f"+ {change.after.label}" if change.after else f"− {change.before.label}" if change.before else ""


def _show_addresses(model: ModelView) -> None:
    """Draw links to what else knows the model, where the pages know the address."""
    known = addresses()
    with st.container(horizontal=True):
        if known.mlflow:
            address = f"{known.mlflow}/#/models/{quote(model_name(), safe='')}"
            st.link_button("Its runs in MLflow", address, icon=":material/open_in_new:")
        if known.jaeger:
            query = {"service": "trainer-gate", "lookback": "7d", "tags": json.dumps({"pappus.version": model.version})}
            st.link_button("Its traces", f"{known.jaeger}/search?{urlencode(query)}", icon=":material/open_in_new:")
