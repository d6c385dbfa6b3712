"""The page of one image, `/image?id=<uuid>`: the picture, its label, and everything that led to it."""

from uuid import UUID

import streamlit as st

from services.labeler.ui.api_clients import Declined
from services.labeler.ui.components.buttons import probability_bars
from services.labeler.ui.components.image_correction import correct_here
from services.labeler.ui.components.image_story import show_answers, show_neighbours, show_revisions
from services.labeler.ui.components.links import link_to_image, link_to_model
from services.labeler.ui.components.picture_zoom import picture_zoom
from services.labeler.ui.components.presses import ask
from services.labeler.ui.components.texts import small
from services.labeler.ui.components.withdrawal import show_notice
from services.labeler.ui.messages import code, plain
from services.labeler.ui.metrics import PAGE_VIEWS
from services.labeler.ui.sessions.image_session import ImageSession
from services.labeler.ui.sessions.tab import clients
from services.labeler.ui.words import images as words
from shared.clients.answers import ImageView, ShownPrediction
from shared.clients.labeler import get_history, get_image
from shared.clients.lineage import ImageStory, get_image_story

MOST_BARS = 5


def page() -> None:
    """Show the image that the address names."""
    PAGE_VIEWS.labels("image").inc()
    st.title("Image", anchor=False)
    text = st.query_params.get("id", "").strip()
    image_id = _parsed(text)
    if image_id is None:
        _ask_for_id(words.MALFORMED.format(text=plain(text)) if text else "")
        return
    image = _find(image_id)
    if image is None:
        _ask_for_id(words.UNKNOWN.format(image_id=code(str(image_id))))
        return
    shown: ImageSession | None = st.session_state.get("image_session")
    if shown is None or shown.image_id != image_id:
        shown = st.session_state.image_session = ImageSession(image_id)
    shown.click_guard.begin()
    _draw(shown, image)
    ask(shown.click_guard)


def _parsed(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _find(image_id: UUID) -> ImageView | None:
    try:
        return clients().labeler.send(get_image(image_id))
    except Declined:
        return None


def _ask_for_id(problem: str) -> None:
    """Say what is wrong with the address, and take another id."""
    if problem:
        st.warning(problem)
    else:
        st.info(words.NO_ID)
    typed = st.text_input("Image id")
    if typed.strip():
        st.query_params["id"] = typed.strip()
        st.rerun()


def _draw(shown: ImageSession, image: ImageView) -> None:
    story = clients().labeler.send(get_image_story(image.image_id))
    entries = clients().labeler.send(get_history(image.image_id))
    if image.state != "stored":
        _show_absent(shown, image, story)
        st.subheader("What people decided", anchor=False)
        show_revisions(entries)
        return
    prediction = shown.ask_model()
    left, right = st.columns([1.5, 1], gap="large")
    with left:
        picture_zoom(image.image_id, image.width, image.height, "The image")
        small(f"{words.origin(image)} · {code(str(image.image_id))}")
    with right:
        st.markdown(words.label_now(image))
        _show_answer(prediction or image.prediction)
        correct_here(shown, image, prediction)
        small(f"{words.side(story)} {words.held_by(story)}")
    left, right = st.columns([1.5, 1], gap="large")
    with left:
        st.subheader("What people decided", anchor=False)
        show_revisions(entries)
    with right:
        st.subheader("What models answered", anchor=False)
        show_answers(image, prediction, entries)
        show_neighbours(image, story, prediction)


def _show_answer(prediction: ShownPrediction | None) -> None:
    if prediction is None:
        st.caption("No model answers right now. A label can be set without it.")
        return
    st.markdown(words.answer(prediction))
    top = sorted(prediction.probabilities.items(), key=lambda entry: -entry[1])
    probability_bars(prediction.model_copy(update={"probabilities": dict(top[:MOST_BARS])}))
    if len(top) > MOST_BARS:
        st.caption(f"and {len(top) - MOST_BARS} more classes")


def _show_absent(shown: ImageSession, image: ImageView, story: ImageStory) -> None:
    """Say why there is no picture, and what else there is to look at."""
    show_notice(shown.withdrawing)
    if image.state == "withdrawn":
        st.warning(words.withdrawn(image))
        saw = story.withdrawal
        if saw is not None and (saw.seen_by or saw.held_by):
            st.markdown("These models saw it:")
            with st.container(horizontal=True):
                for version in dict.fromkeys([*saw.seen_by, *saw.held_by]):
                    link_to_model(version, version)
        return
    st.warning(words.not_stored(image))
    if image.duplicate_of is not None:
        link_to_image(image.duplicate_of, "Open the image with the same bytes")
