"""Page 1: bring an image, see the model's answer, correct it, and watch the correction take effect."""

import time
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from uuid import UUID

import streamlit as st

from services.labeler.ui import words
from services.labeler.ui.buttons import follow, label_buttons, probability_bars
from services.labeler.ui.clients import Answer, Declined, LoggedOut, Wish
from services.labeler.ui.corrections import Followed, Sent, new_key
from services.labeler.ui.counts import PAGE_VIEWS, PREDICTIONS
from services.labeler.ui.pictures import picture, show
from services.labeler.ui.presses import Presses
from services.labeler.ui.state import clients, labels, log_out, send
from shared.errors import TransientError

TYPES = ("jpg", "jpeg", "png", "webp", "gif", "bmp")
LIMIT_MEGABYTES = 20
LOOK_EVERY_SECONDS = 0.3
LOAD_SECONDS = 10.0


@dataclass
class Work:
    """One chosen file and everything that happened to it. `answers` are the model's, oldest first."""

    name: str
    data: bytes
    key: str = field(default_factory=new_key)
    image_id: UUID | None = None
    stored: bool = False
    label: str | None = None
    revision: int = 0
    answers: list[Answer] = field(default_factory=list)
    silence: str = ""
    problem: str = ""
    refused: str = ""
    sent: Sent | None = None
    followed: Followed | None = None
    ask_until: float | None = None
    presses: Presses = field(default_factory=Presses)


def page() -> None:
    """Show the page."""
    PAGE_VIEWS.labels("upload").inc()
    st.title("Upload")
    chosen = st.file_uploader("Choose a picture", type=TYPES, max_upload_size=LIMIT_MEGABYTES, key="file")
    if chosen is None:
        st.markdown("The model answers at once. If it is wrong, one key tells it so, and it learns within a second.")
        return
    work = _work(chosen.name, chosen.getvalue())
    left, right = st.columns([1.1, 1], gap="large")
    with left:
        show(work.data, work.name)
    with right:
        if not work.answers and not work.silence:
            _predict(work)
        _show_answer(work)
        if not work.stored and not work.refused and not work.problem:
            _store(work)
        _show_state(work)


def _work(name: str, data: bytes) -> Work:
    """The work of the chosen file: the same one as long as the bytes are the same."""
    digest = sha256(data).hexdigest()
    if st.session_state.get("work_digest") != digest:
        st.session_state.work_digest, st.session_state.work = digest, Work(name, data)
    work: Work = st.session_state.work
    return work


def _predict(work: Work) -> None:
    try:
        work.answers.append(clients().predictor.predict(work.data))
        work.silence = ""
        PREDICTIONS.labels("answered").inc()
    except (TransientError, Declined) as error:
        work.silence = str(error)
        PREDICTIONS.labels("unanswered").inc()


def _store(work: Work) -> None:
    """Bring the image; an upload that is on its way is asked for again."""
    try:
        with st.spinner("Storing …"):
            if work.image_id is None:
                done = clients().labeler.upload(work.name, work.data, work.key)
                work.image_id, work.stored = done.image_id, done.state == "stored"
                work.label, work.revision = done.label, done.revision
            else:
                _look(work)
    except TransientError as away:
        work.problem = str(away)
    except Declined as no:
        work.refused = str(no)
    except LoggedOut as ended:
        log_out(str(ended))
        st.rerun()


def _look(work: Work) -> None:
    """See what became of an upload that was on its way."""
    assert work.image_id is not None
    image = clients().labeler.image(work.image_id)
    if image.duplicate_of is not None:
        image = clients().labeler.image(image.duplicate_of)
    if image.rejection is not None:
        work.refused = image.rejection.detail
    work.image_id, work.stored = image.image_id, image.state == "stored"
    work.label, work.revision = image.label, image.revision


def _show_answer(work: Work) -> None:
    if not work.answers:
        st.caption(work.silence)
        return
    answer = work.answers[-1]
    st.subheader(f"The model says {answer.label}")
    probability_bars(answer)
    st.caption(words.answer_facts(answer))
    _show_corrections(answer)
    if len(work.answers) > 1:
        st.success(words.change(work.answers[-2], answer))


def _show_corrections(answer: Answer) -> None:
    """The corrected images that shaped the answer, heaviest first."""
    with st.container(horizontal=True):
        for weight in answer.corrections:
            if data := picture(weight.image_id):
                st.image(data, width=72, caption=f"{weight.weight:.0%}")


def _show_state(work: Work) -> None:
    if work.refused:
        st.error(f"This picture cannot be used. {work.refused}")
    elif work.problem:
        st.warning(f"Not stored yet. {work.problem}")
        work.presses.button("Try again", partial(_forget_problem, work), shortcut="t")
    elif not work.stored:
        _wait_for(work)
    else:
        _show_correcting(work)


def _forget_problem(work: Work) -> None:
    work.problem = ""


@st.fragment(run_every=LOOK_EVERY_SECONDS)
def _wait_for(work: Work) -> None:
    st.info("The picture is on its way to the store …")
    _store(work)
    if work.stored or work.refused or work.problem:
        st.rerun()


def _show_correcting(work: Work) -> None:
    """The buttons, and what came of the last one pressed."""
    suggested = work.answers[-1].label if work.answers else None
    st.markdown(f"**What is it really?** {'It is labelled ' + work.label + '.' if work.label else ''}")
    label_buttons(work.presses, labels(), suggested, partial(_correct, work))
    st.caption("Press its number on the keyboard. Agreeing helps as well: it makes the label trusted.")
    sent = work.sent
    if sent is None:
        return
    if sent.outcome == "kept":
        st.warning(f"**{sent.wish.label}** is kept here, not sent. {sent.detail}")
        work.presses.button("Try again", partial(_send, work, sent.wish), shortcut="t", kind="primary")
    elif sent.outcome == "overtaken":
        st.warning(sent.detail)
    elif sent.outcome == "declined":
        st.error(sent.detail)
    elif work.followed is not None:
        follow(work.followed, lambda: _when_followed(work))
    if work.ask_until is not None:
        _ask_again(work)


def _correct(work: Work, label: str) -> None:
    assert work.image_id is not None
    shown = work.answers[-1] if work.answers else None
    wish = Wish(
        image_id=work.image_id,
        label=label,
        label_before=work.label,
        revision=work.revision,
        key=new_key(),
        prediction_id=shown.prediction_id if shown else None,
        shown_model_version=shown.model_version if shown else None,
        shown_label=shown.label if shown else None,
    )
    _send(work, wish)


def _send(work: Work, wish: Wish) -> None:
    sent = send(wish)
    work.sent, work.followed = sent, None
    if sent.outcome in ("applied", "overtaken"):
        work.label, work.revision = sent.label, sent.revision or 0
    if sent.outcome in ("applied", "accepted"):
        work.followed = Followed.start(sent)


def _when_followed(work: Work) -> None:
    """The correction is in service, or will not be soon."""
    entry = work.followed.entry if work.followed else None
    if entry is None:
        return
    if entry.state == "applied":
        work.label, work.revision = entry.label_to, entry.revision
    if entry.live_in is not None:
        work.ask_until = time.monotonic() + LOAD_SECONDS


@st.fragment(run_every=LOOK_EVERY_SECONDS)
def _ask_again(work: Work) -> None:
    """What does the model say now? Asked as soon as another version than the one that was shown is loaded."""
    st.caption("The new model is being loaded …")
    shown = work.answers[-1].model_version if work.answers else None
    try:
        loaded = clients().predictor.version() != shown
    except (TransientError, Declined):
        loaded = False
    if loaded or work.ask_until is None or time.monotonic() > work.ask_until:
        work.ask_until = None
        _predict(work)
        st.rerun()
