"""The Review page: one image after the other, one key each. The surface is in the browser; below it is what a page
can do about the image that it shows."""

from functools import partial
from uuid import UUID

import streamlit as st

from services.labeler.ui.api_clients import LoggedOut
from services.labeler.ui.components.image_view import THUMBNAIL_PIXELS, load_picture
from services.labeler.ui.components.links import link_to_image
from services.labeler.ui.components.presses import ask
from services.labeler.ui.components.similar_images import similar_images
from services.labeler.ui.components.withdrawal import confirm_withdrawal, show_notice, withdraw_button
from services.labeler.ui.metrics import PAGE_VIEWS
from services.labeler.ui.review import words
from services.labeler.ui.review.queues import read_queue
from services.labeler.ui.review.session import ReviewSession
from services.labeler.ui.review.surface import show_surface
from services.labeler.ui.sessions.champion import last_known_freeze
from services.labeler.ui.sessions.tab import clients, keep_work, labels, log_out, session


def page() -> None:
    """Show the surface, and what belongs to its image."""
    PAGE_VIEWS.labels("review").inc()
    review: ReviewSession = st.session_state.setdefault("review_session", ReviewSession())
    keep_work()
    labels()
    if (asked := read_queue({name: st.query_params.get_all(name) for name in st.query_params})) is not None:
        review.choose(asked)
    if (person := session()) is not None:
        review.open(clients(), person)
    _work(review)


@st.fragment
def _work(review: ReviewSession) -> None:
    """Run whenever the browser says something: after each key, and now and then while something is under way."""
    person = session()
    if person is None:
        return
    if review.outbox.logged_out:
        log_out(words.ENDED)
        st.rerun()
    review.frozen = last_known_freeze() is not None
    review.click_guard.begin()
    review.receive(show_surface(review, person.name, labels()))
    _write_address(review)
    try:
        _show_about(review, review.current)
    except LoggedOut as ended:
        log_out(str(ended))
        st.rerun()


def _write_address(review: ReviewSession) -> None:
    """Let the address name the queue, for a reload and for another person."""
    address = review.chosen.address()
    written = {name: values if isinstance(values, list) else [values] for name, values in address.items()}
    if written != {name: st.query_params.get_all(name) for name in st.query_params}:
        st.query_params.from_dict(address)


def _show_about(review: ReviewSession, image_id: UUID | None) -> None:
    """Draw what can be done about the image that the browser shows, None for none."""
    asked = review.withdrawing.asked
    if asked is not None:
        if picture := load_picture(asked, THUMBNAIL_PIXELS):
            st.image(picture, width=THUMBNAIL_PIXELS, alt="The image to withdraw")
        confirm_withdrawal(review.click_guard, review.withdrawing, asked, partial(review.drop, asked))
        ask(review.click_guard)
        return
    if image_id is None or image_id in review.dropped:
        show_notice(review.withdrawing)
        return
    link_to_image(image_id, "Everything about this image")
    similar_images(image_id)
    withdraw_button(review.click_guard, review.withdrawing, image_id)
    ask(review.click_guard)
