"""Page 2: one image after the other, one key each."""

from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

import streamlit as st

from services.labeler.ui import words
from services.labeler.ui.buttons import follow, label_buttons, probability_bars
from services.labeler.ui.clients import Answer, Declined, LabelerClient, LoggedOut, Wish
from services.labeler.ui.corrections import Followed, Sent, new_key, undoing
from services.labeler.ui.counts import PAGE_VIEWS, PREDICTIONS
from services.labeler.ui.pictures import picture, show
from services.labeler.ui.presses import Presses
from services.labeler.ui.state import clients, labels, send
from services.labeler.views import ReviewItem
from shared.errors import TransientError

AHEAD, MOST = 20, 1000


@dataclass
class Desk:
    """One person's sitting: what lies before them, what they did (newest last), and what could not be sent."""

    queue: list[ReviewItem] = field(default_factory=list)
    skipped: set[UUID] = field(default_factory=set)
    done: list[Sent] = field(default_factory=list)
    answers: dict[UUID, Answer] = field(default_factory=dict)
    waiting: int = 0
    kept: Wish | None = None
    notice: str = ""
    followed: Followed | None = None
    presses: Presses = field(default_factory=Presses)

    def refill(self, client: LabelerClient) -> None:
        """Fetch the next images, without those that were skipped in this sitting."""
        found = client.review(min(AHEAD + len(self.skipped), MOST))
        self.waiting = found.waiting
        self.queue = [item for item in found.items if item.image_id not in self.skipped]


def page() -> None:
    """Show the page."""
    PAGE_VIEWS.labels("review").inc()
    desk: Desk = st.session_state.setdefault("desk", Desk())
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
        _show_picture(item)
    with right:
        answer = _answer(desk, item)
        _show_reasons(item, answer)
        if desk.kept is None:
            suggested = answer.label if answer else item.label
            label_buttons(desk.presses, labels(), suggested, partial(_label, desk, item))
            _show_moves(desk)
        else:
            _show_kept(desk, desk.kept)
        _show_last(desk)
    for following in desk.queue[1:2]:
        picture(following.image_id)  # so that it is there when its turn comes


def _show_progress(desk: Desk) -> None:
    done, left = len(desk.done), max(0, desk.waiting)
    st.progress(done / (done + left) if done + left else 1.0, text=f"{done} done in this sitting · {left} to go")


def _show_end(desk: Desk) -> None:
    st.success("Nothing waits for you. New pictures will appear here when somebody brings them.")
    with st.container(horizontal=True):
        desk.presses.button("Look again", partial(_start_again, desk))
        if desk.done:
            desk.presses.button("Undo the last one", partial(_undo, desk), shortcut="u")
    _show_last(desk)


def _start_again(desk: Desk) -> None:
    desk.skipped.clear()
    desk.queue.clear()


def _show_picture(item: ReviewItem) -> None:
    data = picture(item.image_id)
    if data is None:
        st.warning("The picture cannot be shown right now. Skip it, or try again in a moment.")
    else:
        show(data, "The image to review")


def _answer(desk: Desk, item: ReviewItem) -> Answer | None:
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


def _show_moves(desk: Desk) -> None:
    with st.container(horizontal=True):
        desk.presses.button("Skip", partial(_skip, desk), shortcut="s")
        desk.presses.button("Undo", partial(_undo, desk), shortcut="u", disabled=not desk.done)


def _show_kept(desk: Desk, wish: Wish) -> None:
    st.warning(f"**{wish.label}** is kept here, not sent. {desk.notice}")
    with st.container(horizontal=True):
        desk.presses.button("Try again", partial(_send, desk, wish), shortcut="t", kind="primary")
        desk.presses.button("Choose again", partial(_drop_kept, desk))


def _drop_kept(desk: Desk) -> None:
    desk.kept, desk.notice = None, ""


def _show_last(desk: Desk) -> None:
    if desk.notice and desk.kept is None:
        st.warning(desk.notice)
    if desk.followed is not None:
        follow(desk.followed, about="*The last one:* ")


def _label(desk: Desk, item: ReviewItem, label: str) -> None:
    shown = desk.answers.get(item.image_id) or item.prediction
    wish = Wish(
        image_id=item.image_id,
        label=label,
        label_before=item.label,
        revision=item.revision,
        key=new_key(),
        prediction_id=shown.prediction_id if shown else None,
        shown_model_version=shown.model_version if shown else None,
        shown_label=shown.label if shown else None,
    )
    _send(desk, wish)


def _send(desk: Desk, wish: Wish) -> None:
    """Send, and go on to the next image unless this one needs another look."""
    sent = send(wish)
    desk.kept = wish if sent.outcome == "kept" else None
    desk.notice = sent.detail
    if sent.outcome == "overtaken":
        desk.queue[0] = desk.queue[0].model_copy(
            update={"label": sent.label, "revision": sent.revision, "trust": "reviewed", "reason": "Do you agree?"}
        )
    if sent.outcome in ("applied", "accepted"):
        desk.queue.pop(0)
        if sent.outcome == "accepted":
            desk.skipped.add(wish.image_id)  # the tables still list it
        desk.done.append(sent)
        desk.waiting -= 1
        desk.followed = Followed.start(sent)


def _skip(desk: Desk) -> None:
    desk.notice = ""
    desk.skipped.add(desk.queue.pop(0).image_id)


def _undo(desk: Desk) -> None:
    """Take the last one back, as a new correction, and put its image on top again."""
    last = _with_revision(desk, desk.done[-1])
    if last is None:
        return
    wish = undoing(last)
    label, revision = last.label, last.revision
    if wish is not None:
        sent = send(wish)
        if sent.outcome not in ("applied", "overtaken"):
            desk.notice = f"Not undone. {sent.detail}"
            return
        label, revision = sent.label, sent.revision
    desk.done.pop()
    desk.waiting += 1
    desk.followed = None
    desk.notice = "" if wish else f"It had no label to go back to, so it is {label} until you choose another."
    desk.queue.insert(0, _again(last, label, revision or 0))


def _with_revision(desk: Desk, sent: Sent) -> Sent | None:
    """The same with the revision it got; None, with a notice, if that cannot be known yet."""
    if sent.revision is not None:
        return sent
    followed = Followed.start(sent)
    try:
        followed.look(clients().labeler)
    except (TransientError, LoggedOut) as error:
        desk.notice = f"Not undone. {error}"
        return None
    if followed.sent.revision is None:
        desk.notice = "Not undone: it is still on its way. Try again in a moment."
        return None
    return followed.sent


def _again(last: Sent, label: str | None, revision: int) -> ReviewItem:
    return ReviewItem(
        image_id=last.wish.image_id,
        label=label,
        revision=revision,
        trust="reviewed",
        prediction=None,
        reason="You took your last label back.",
    )
