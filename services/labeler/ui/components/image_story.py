"""The story of an image: what models answered, who decided what, and what lies near it."""

from collections.abc import Sequence

import streamlit as st

from services.labeler.ui import messages
from services.labeler.ui.api_clients import Declined
from services.labeler.ui.components.links import link_to_model
from services.labeler.ui.components.texts import small
from services.labeler.ui.components.thumbnails import thumbnails
from services.labeler.ui.messages import plain
from services.labeler.ui.sessions.tab import clients
from services.labeler.ui.words import images as words
from shared.clients.answers import HistoryEntry, ImageView, Prediction
from shared.clients.lineage import ImageStory
from shared.clients.similar import get_similar
from shared.runtime.errors import TransientError

SIMILAR = 12


def show_answers(image: ImageView, prediction: Prediction | None, entries: Sequence[HistoryEntry]) -> None:
    """Draw what models answered about the image, newest first: the one in service, the one that answered last when all
    images were asked, and those whose answers people saw."""
    newest = prediction or image.prediction
    said = {} if newest is None else {newest.model_version: f"{words.answer(newest)}, now"}
    if image.prediction is not None:
        said.setdefault(image.prediction.model_version, words.answer(image.prediction))
    for entry in reversed(entries):
        if entry.shown_model_version and entry.shown_label:
            version = entry.shown_model_version
            said.setdefault(version, f"{messages.code(version)} said **{plain(entry.shown_label)}**")
    st.markdown("\n".join(f"- {line}" for line in said.values()))
    if not said:
        st.caption("No model has answered about it yet.")


def show_revisions(entries: Sequence[HistoryEntry]) -> None:
    """Draw every revision of the label, newest first, and what it changed."""
    for entry in reversed(entries):
        with st.container(border=True, gap="small"):
            st.markdown(words.revision(entry))
            effect = words.effect(entry)
            if effect and entry.live_in is not None:
                with st.container(horizontal=True, vertical_alignment="center"):
                    small(effect, width="content")
                    link_to_model(entry.live_in, "See the model")
            elif effect:
                small(effect)
            for conflict in entry.conflicts:
                other = {conflict.counting.image_id, conflict.overruled.image_id}
                thumbnails(((each, "same pixels") for each in sorted(other)), "A picture with the same pixels")


def show_neighbours(image: ImageView, story: ImageStory, prediction: Prediction | None) -> None:
    """Draw what shaped the answer, what has the same pixels or resembles the image, and what is similar."""
    if prediction is not None and prediction.corrections:
        st.markdown("**Behind the answer**: the corrections that shaped it, with their weight.")
        behind = ((one.image_id, f"{one.weight:.0%}") for one in prediction.corrections)
        thumbnails(behind, "A correction behind the answer")
    if image.label_of is not None:
        st.markdown("**The same pixels**: the label of this image counts for both.")
        thumbnails([(image.label_of, "same pixels")], "The image with the same pixels")
    if image.resembles:
        st.markdown("**Quarantined**: it resembles training and test images, so it is in neither.")
        for group in image.resembles:
            st.caption(messages.resembled(group))
            thumbnails(((each, group.side) for each in group.images), "An image it resembles")
    elif story.near_duplicates:
        st.markdown("**Near-duplicates**: copies that are on the same side of the split.")
        thumbnails(((each, "near-duplicate") for each in story.near_duplicates), "A near-duplicate")
    if story.duplicates:
        number = len(story.duplicates)
        st.caption(f"The same file was brought {number} more {'time' if number == 1 else 'times'}, and refused.")
    if image.state == "stored":
        _similar(image)


def _similar(image: ImageView) -> None:
    row = st.expander("Similar images", key=f"similar-on-page-{image.image_id}", on_change="rerun")
    if not row.open:
        return
    with row:
        try:
            found = clients().labeler.send(get_similar(image.image_id, SIMILAR))
        except (TransientError, Declined) as error:
            st.caption(plain(str(error)))
            return
        if not found.items:
            st.caption(plain(found.why_none))
        thumbnails(((one.image_id, words.similar(one)) for one in found.items), "A similar image")
