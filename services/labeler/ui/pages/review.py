"""The Review page: one image after the other, one key each."""

from functools import partial

import streamlit as st

from services.labeler.ui import messages
from services.labeler.ui.api_clients import Declined
from services.labeler.ui.components.buttons import follow, label_buttons, probability_bars
from services.labeler.ui.components.image_view import load_image, load_picture, show_picture
from services.labeler.ui.components.presses import ask
from services.labeler.ui.components.similar_images import similar_images
from services.labeler.ui.components.withdrawal import confirm_withdrawal, withdraw_button
from services.labeler.ui.metrics import PAGE_VIEWS, PREDICTIONS
from services.labeler.ui.sessions.corrections import PendingCorrection
from services.labeler.ui.sessions.review_session import ReviewSession
from services.labeler.ui.sessions.tab import clients, keep_work, labels
from shared.clients.answers import ReviewItem, ShownPrediction
from shared.clients.predictor import predict
from shared.runtime.errors import TransientError


def page() -> None:
    """Show the current image and its buttons."""
    PAGE_VIEWS.labels("review").inc()
    review: ReviewSession = st.session_state.setdefault("review_session", ReviewSession())
    keep_work()
    review.click_guard.begin()
    _draw(review)
    ask(review.click_guard)  # not if the run is cut short: the buttons of the question must be there
    for following in review.queue[1:2]:
        load_picture(following.image_id)  # so that it appears at once when its turn comes


def _draw(review: ReviewSession) -> None:
    if not review.queue:
        review.refill(clients().labeler)
    st.title("Review")
    _show_progress(review)
    if not review.queue:
        _show_end(review)
        return
    item = review.queue[0]
    left, right = st.columns([1.7, 1], gap="large")
    with left:
        visible = _show_image(item)
        similar_images(item.image_id)
    with right:
        prediction = _prediction(review, item)
        _show_reasons(item, prediction)
        if review.unsent is not None:
            _show_unsent(review, review.unsent)
        elif not confirm_withdrawal(review.click_guard, review.withdrawing, item.image_id, review.drop_withdrawn):
            if visible:  # a label needs an image the person can see
                suggested = prediction.label if prediction else item.label
                label_buttons(review.click_guard, labels(), suggested, partial(review.label, item))
            _show_moves(review, visible)
            withdraw_button(review.click_guard, review.withdrawing, item.image_id)
        _show_last(review)


def _show_progress(review: ReviewSession) -> None:
    done, left = review.done, max(0, review.waiting)
    st.progress(done / (done + left) if done + left else 1.0, text=f"{done} done in this session · {left} to go")


def _show_end(review: ReviewSession) -> None:
    if review.waiting:
        st.info("Only images you skipped, or that are still being saved, are left. Press Look again to see them.")
    else:
        st.success("Every image is reviewed. New images appear here after they are uploaded.")
    with st.container(horizontal=True):
        review.click_guard.button("Look again", review.start_again)
        if review.moves:
            review.click_guard.button("Undo", review.undo_last, shortcut="u")
    _show_last(review)


def _show_image(item: ReviewItem) -> bool:
    """Show the image. Return whether the person can see it."""
    picture = load_picture(item.image_id)
    if picture is None:
        st.warning("The image cannot be shown right now. Skip it, or try again in a moment.")
        return False
    show_picture(picture, "The image to review")
    return True


def _prediction(review: ReviewSession, item: ReviewItem) -> ShownPrediction | None:
    """Return the stored prediction, or request one if there is none."""
    if item.image_id in review.predictions:
        return review.predictions[item.image_id]
    if item.prediction is not None:
        return item.prediction
    data = load_image(item.image_id)
    if data is None:
        return None
    try:
        review.predictions[item.image_id] = clients().predictor.send(predict(data))
    except (TransientError, Declined):
        PREDICTIONS.labels("unanswered").inc()
        return None
    PREDICTIONS.labels("answered").inc()
    return review.predictions[item.image_id]


def _show_reasons(item: ReviewItem, prediction: ShownPrediction | None) -> None:
    if prediction is None:
        st.subheader("What is it?")
    else:
        st.subheader(f"The model says {messages.plain(prediction.label)}")
        probability_bars(prediction)
        st.caption(messages.plain(prediction.model_version))
    st.markdown(messages.why_shown(item, prediction))
    if item.quarantined:
        st.caption(messages.QUARANTINED)


def _show_moves(review: ReviewSession, visible: bool) -> None:
    with st.container(horizontal=True):
        review.click_guard.button("Skip", review.skip, shortcut="s")
        if not visible:
            review.click_guard.button("Try again", lambda: None, shortcut="t")
        review.click_guard.button("Undo", review.undo_last, shortcut="u", disabled=not review.moves)


def _show_unsent(review: ReviewSession, correction: PendingCorrection) -> None:
    st.warning(messages.not_confirmed(correction.label, review.notice))
    with st.container(horizontal=True):
        review.click_guard.button("Try again", partial(review.send, correction), shortcut="t", kind="primary")
        review.click_guard.button("Choose again", review.drop_unsent)


def _show_last(review: ReviewSession) -> None:
    if review.notice and review.unsent is None:
        st.warning(messages.plain(review.notice))
    if review.followed is not None:
        follow(review.followed, about="*Last image:* ")
