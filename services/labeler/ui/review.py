"""Page 2: one image after the other, one key each."""

from functools import partial

import streamlit as st

from services.labeler.ui import messages as words
from services.labeler.ui.buttons import follow, label_buttons, probability_bars
from services.labeler.ui.clients import Answer, Declined, PendingCorrection
from services.labeler.ui.image_view import picture, show
from services.labeler.ui.metrics import PAGE_VIEWS, PREDICTIONS
from services.labeler.ui.review_session import ReviewSession
from services.labeler.ui.state import clients, labels
from services.labeler.views import ReviewItem
from shared.runtime.errors import TransientError


def page() -> None:
    """Show the page."""
    PAGE_VIEWS.labels("review").inc()
    desk: ReviewSession = st.session_state.setdefault("desk", ReviewSession())
    if not desk.queue:
        desk.refill(clients().labeler)
    st.title("Review")
    _show_progress(desk)
    if not desk.queue:
        _show_end(desk)
        return
    item = desk.queue[0]
    left, right = st.columns([1.7, 1], gap="large")
    with left:
        seen = _show_image(item)
    with right:
        answer = _answer(desk, item)
        _show_reasons(item, answer)
        if desk.kept is not None:
            _show_kept(desk, desk.kept)
        else:
            if seen:  # nobody can label what they do not see
                suggested = answer.label if answer else item.label
                label_buttons(desk.presses, labels(), suggested, partial(desk.label, item))
            _show_moves(desk, seen)
        _show_last(desk)
    for following in desk.queue[1:2]:
        picture(following.image_id)  # so that it is there when its turn comes


def _show_progress(desk: ReviewSession) -> None:
    done, left = desk.done, max(0, desk.waiting)
    st.progress(done / (done + left) if done + left else 1.0, text=f"{done} done in this session · {left} to go")


def _show_end(desk: ReviewSession) -> None:
    if desk.waiting:
        st.info("Only images you skipped, or that are still being saved, are left. Look again shows them.")
    else:
        st.success("Nothing waits for you. New images will appear here when somebody brings them.")
    with st.container(horizontal=True):
        desk.presses.button("Look again", desk.start_again)
        if desk.moves:
            desk.presses.button("Undo the last one", desk.take_back, shortcut="u")
    _show_last(desk)


def _show_image(item: ReviewItem) -> bool:
    """Whether the person can see it."""
    data = picture(item.image_id)
    if data is None:
        st.warning("The image cannot be shown right now. Skip it, or try again in a moment.")
        return False
    return show(data, "The image to review")


def _answer(desk: ReviewSession, item: ReviewItem) -> Answer | None:
    """What the model says: its stored answer, or one asked for now if there is none."""
    if item.image_id in desk.answers:
        return desk.answers[item.image_id]
    if item.prediction is not None:
        return Answer(**item.prediction.model_dump(), milliseconds=0.0)
    data = picture(item.image_id)
    if data is None:
        return None
    try:
        desk.answers[item.image_id] = clients().predictor.predict(data)
    except (TransientError, Declined):
        PREDICTIONS.labels("unanswered").inc()
        return None
    PREDICTIONS.labels("answered").inc()
    return desk.answers[item.image_id]


def _show_reasons(item: ReviewItem, answer: Answer | None) -> None:
    if answer is None:
        st.subheader("What is it?")
    else:
        st.subheader(f"The model says {answer.label}")
        probability_bars(answer)
        st.caption(answer.model_version)
    st.markdown(f"{item.reason}  \n{words.current_label(item)}")


def _show_moves(desk: ReviewSession, seen: bool) -> None:
    with st.container(horizontal=True):
        desk.presses.button("Skip", desk.skip, shortcut="s")
        if not seen:
            desk.presses.button("Try again", lambda: None, shortcut="t")
        desk.presses.button("Undo", desk.take_back, shortcut="u", disabled=not desk.moves)


def _show_kept(desk: ReviewSession, wish: PendingCorrection) -> None:
    st.warning(words.kept(wish.label, desk.notice))
    with st.container(horizontal=True):
        desk.presses.button("Try again", partial(desk.send, wish), shortcut="t", kind="primary")
        desk.presses.button("Choose again", desk.drop_kept)


def _show_last(desk: ReviewSession) -> None:
    if desk.notice and desk.kept is None:
        st.warning(desk.notice)
    if desk.followed is not None:
        follow(desk.followed, about="*The last one:* ")
