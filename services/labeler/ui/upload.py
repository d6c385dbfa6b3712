"""Page 1: bring an image, see the model's answer, correct it, and watch the correction take effect."""

import time
from functools import partial

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from services.labeler.settings import LIMIT_MEGABYTES
from services.labeler.ui import messages as words
from services.labeler.ui.buttons import follow, label_buttons, probability_bars
from services.labeler.ui.clients import Answer, Declined, LoggedOut
from services.labeler.ui.image_view import picture, show
from services.labeler.ui.metrics import PAGE_VIEWS
from services.labeler.ui.state import clients, labels, log_out
from services.labeler.ui.upload_session import UploadSession
from shared.runtime.errors import TransientError

TYPES = ("jpg", "jpeg", "png", "webp", "gif", "bmp")
LOOK_EVERY_SECONDS = 0.3


def page() -> None:
    """Show the page."""
    PAGE_VIEWS.labels("upload").inc()
    st.title("Upload")
    work = _work(st.file_uploader("Choose an image", type=TYPES, max_upload_size=LIMIT_MEGABYTES, key="file"))
    if work is None:
        st.markdown("The model answers at once. If it is wrong, one key tells it so, and it learns within a second.")
        return
    left, right = st.columns([1.1, 1], gap="large")
    with left:
        show(work.data, work.name)
    with right:
        if not work.answers and not work.silence:
            work.predict()
        _show_answer(work)
        if not work.stored and not work.refused and not work.problem:
            with st.spinner("Storing …"):
                _store(work)
        _show_state(work)


def _work(chosen: UploadedFile | None) -> UploadSession | None:
    """The work to show: that of the chosen file, unless an earlier one stays. None without either."""
    old: UploadSession | None = st.session_state.get("work")
    new = None if chosen is None else UploadSession(chosen.name, chosen.getvalue())
    if old is not None and old.stays(None if new is None else new.digest):
        if new is not None and new.digest != old.digest:
            _show_order(old, new)
        return old
    if new is not None:
        st.session_state.work = new
    return new


def _show_order(old: UploadSession, new: UploadSession) -> None:
    if old.unsent:
        st.warning(f"First finish {old.name}: it is not sent yet.")
    else:
        old.presses.button(f"Go on with {new.name}", old.let_go, kind="primary")


def _store(work: UploadSession) -> None:
    try:
        work.store()
    except LoggedOut as ended:
        work.problem = "The session had ended."
        log_out(f"{ended} {words.KEPT}")
        st.rerun()


def _show_answer(work: UploadSession) -> None:
    if not work.answers:
        st.caption(work.silence)
        if work.may_answer:
            work.presses.button("Ask the model again", work.forget_silence)
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
                alt = "A corrected image behind this answer"
                st.image(data, width=72, caption=f"{weight.weight:.0%}", alt=alt)


def _show_state(work: UploadSession) -> None:
    if work.refused:
        st.error(f"This image cannot be used. {work.refused}")
    elif work.problem:
        st.warning(f"Not stored yet. {work.problem} {words.NO_RELOAD}")
        work.presses.button("Try again", work.forget_problem, shortcut="t")
    elif not work.stored:
        _wait_for(work)
    else:
        _show_correcting(work)


@st.fragment(run_every=LOOK_EVERY_SECONDS)
def _wait_for(work: UploadSession) -> None:
    st.info("The image is on its way to the store …")
    _store(work)
    if work.stored or work.refused or work.problem:
        st.rerun()


def _show_correcting(work: UploadSession) -> None:
    """The buttons, and what came of the last one pressed."""
    suggested = work.answers[-1].label if work.answers else None
    st.markdown(f"**What is it really?** {'It is labelled ' + work.label + '.' if work.label else ''}")
    label_buttons(work.presses, labels(), suggested, work.correct)
    st.caption("Press its number on the keyboard. Agreeing helps as well: it makes the label trusted.")
    sent = work.sent
    if sent is None:
        return
    if sent.outcome == "kept":
        st.warning(words.kept(sent.wish.label, sent.detail))
        work.presses.button("Try again", partial(work.send, sent.wish), shortcut="t", kind="primary")
    elif sent.outcome == "overtaken":
        st.warning(sent.detail)
    elif sent.outcome == "declined":
        st.error(sent.detail)
    elif work.followed is not None:
        follow(work.followed, work.settle)
    if work.ask_until is not None:
        _ask_again(work)


@st.fragment(run_every=LOOK_EVERY_SECONDS)
def _ask_again(work: UploadSession) -> None:
    """What does the model say now? Asked as soon as another version than the one that was shown is loaded."""
    st.caption("The new model is being loaded …")
    shown = work.answers[-1].model_version if work.answers else None
    try:
        loaded = clients().predictor.version() != shown
    except (TransientError, Declined):
        loaded = False
    if loaded or work.ask_until is None or time.monotonic() > work.ask_until:
        work.ask_until = None
        work.predict()
        st.rerun()
