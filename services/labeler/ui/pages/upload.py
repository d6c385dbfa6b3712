"""The Upload page: upload an image, see the model's answer, correct it, and watch the correction take effect."""

import time
from functools import partial

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from services.labeler.settings import LIMIT_MEGABYTES
from services.labeler.ui import messages
from services.labeler.ui.api_clients import Declined, LoggedOut
from services.labeler.ui.components.buttons import follow, label_buttons, probability_bars
from services.labeler.ui.components.image_view import THUMBNAIL_PIXELS, load_picture, show_file
from services.labeler.ui.components.presses import ask
from services.labeler.ui.components.withdrawal import confirm_withdrawal, withdraw_button
from services.labeler.ui.metrics import PAGE_VIEWS
from services.labeler.ui.sessions.tab import clients, keep_work, labels, log_out
from services.labeler.ui.sessions.upload_session import UploadSession
from shared.clients.answers import Prediction
from shared.clients.predictor import get_serving_model
from shared.runtime.errors import TransientError

TYPES = ("jpg", "jpeg", "png", "webp", "gif", "bmp")
LOOK_EVERY_SECONDS = 0.3


def page() -> None:
    """Show the uploader and the current image."""
    PAGE_VIEWS.labels("upload").inc()
    st.title("Upload")
    upload = _current(st.file_uploader("Choose an image", type=TYPES, max_upload_size=LIMIT_MEGABYTES, key="file"))
    if upload is None:
        st.markdown("The model answers at once. If it is wrong, one key corrects it, and it learns within a second.")
        return
    _draw(upload)
    ask(upload.click_guard)


def _draw(upload: UploadSession) -> None:
    left, right = st.columns([1.1, 1], gap="large")
    with left:
        show_file(upload.data, upload.name)
    with right:
        if not upload.predictions and not upload.no_prediction:
            upload.predict()
        if upload.predictions:
            _show_prediction(upload)
        if not upload.stored and not upload.refused and not upload.problem:
            with st.spinner("Saving the image …"):
                _store(upload)
        if not upload.predictions and not upload.refused:  # a refused image needs one reason, not two
            _show_no_prediction(upload)
        _show_state(upload)


def _current(chosen: UploadedFile | None) -> UploadSession | None:
    """Return the session of the chosen file, unless an earlier one stays; None without either."""
    old: UploadSession | None = st.session_state.get("upload_session")
    if old is not None:
        old.click_guard.begin()
    new = None if chosen is None else UploadSession(chosen.name, chosen.getvalue())
    if old is not None and old.stays(None if new is None else new.sha256):
        if new is not None and new.sha256 != old.sha256:
            _show_order(old, new)
        return old
    if new is not None:
        st.session_state.upload_session = new
        keep_work()
    return new


def _show_order(old: UploadSession, new: UploadSession) -> None:
    if old.unsent:
        st.warning(f"Finish {messages.plain(old.name)} first: it is not saved yet.")
    else:
        old.click_guard.button(f"Continue with {new.name}", old.release, kind="primary")


def _store(upload: UploadSession) -> None:
    try:
        upload.store()
    except LoggedOut as ended:
        upload.problem = "The session ended before the image was saved. Press Try again."
        log_out(f"{ended} {messages.KEPT}")
        st.rerun()


def _show_prediction(upload: UploadSession) -> None:
    prediction = upload.predictions[-1]
    st.subheader(f"The model says {messages.plain(prediction.label)}")
    probability_bars(prediction)
    st.caption(messages.prediction_facts(prediction))
    _show_corrections(prediction)
    if len(upload.predictions) > 1:
        st.success(messages.prediction_change(upload.predictions[-2], prediction))


def _show_no_prediction(upload: UploadSession) -> None:
    st.caption(messages.plain(upload.no_prediction))
    if upload.may_predict_later:
        upload.click_guard.button("Ask the model again", upload.retry_prediction)


def _show_corrections(prediction: Prediction) -> None:
    """Show the corrected images that shaped the prediction, heaviest first."""
    with st.container(horizontal=True):
        for correction in prediction.corrections:
            if picture := load_picture(correction.image_id, THUMBNAIL_PIXELS):
                alt = "A corrected image behind this answer"
                st.image(picture, width=72, caption=f"{correction.weight:.0%}", alt=alt)


def _show_state(upload: UploadSession) -> None:
    if upload.refused:
        st.error(f"This image cannot be used. {messages.plain(upload.refused)}")
    elif upload.problem:
        st.warning(messages.plain(upload.problem))
        upload.click_guard.button("Try again", upload.retry_upload, shortcut="t")
    elif not upload.stored:
        _wait_until_stored(upload)
    else:
        _show_correcting(upload)


@st.fragment(run_every=LOOK_EVERY_SECONDS)
def _wait_until_stored(upload: UploadSession) -> None:
    st.info("The image is being saved …")
    _store(upload)
    if upload.stored or upload.refused or upload.problem:
        st.rerun()


def _show_correcting(upload: UploadSession) -> None:
    """Show the label buttons and the outcome of the last press."""
    image_id, question = upload.image_id, upload.withdrawing
    if image_id and confirm_withdrawal(upload.click_guard, question, image_id, upload.drop_withdrawn):
        return
    suggested = upload.predictions[-1].label if upload.predictions else None
    labelled = f"It is labelled {messages.plain(upload.label)}." if upload.label else ""
    st.markdown(f"**What is it really?** {labelled}")
    label_buttons(upload.click_guard, labels(), suggested, upload.correct)
    if upload.may_undo:
        upload.click_guard.button("Undo", upload.undo, shortcut="u")
    if upload.quarantined:
        st.info(messages.QUARANTINED, icon=":material/content_copy:")
    if image_id:
        withdraw_button(upload.click_guard, question, image_id)
    st.caption("Click a label or press its number. Confirming a right answer helps, too: it makes the label trusted.")
    sent = upload.sent
    if sent is None:
        return
    if sent.outcome == "unsent":
        st.warning(messages.not_confirmed(sent.correction.label, sent.detail))
        upload.click_guard.button("Try again", partial(upload.send, sent.correction), shortcut="t", kind="primary")
    elif sent.outcome == "superseded":
        st.warning(messages.plain(sent.detail))
    elif sent.outcome == "declined":
        st.error(messages.plain(sent.detail))
    elif upload.followed is not None:
        follow(upload.followed, upload.settle)
    if upload.ask_until is not None:
        _predict_again(upload)


@st.fragment(run_every=LOOK_EVERY_SECONDS)
def _predict_again(upload: UploadSession) -> None:
    """Request the prediction again as soon as the predictor serves another version than the one that answered."""
    st.caption("The new model is being loaded …")
    shown = upload.predictions[-1].model_version if upload.predictions else None
    try:
        loaded = clients().predictor.send(get_serving_model()).version != shown
    except (TransientError, Declined):
        loaded = False
    if loaded or upload.ask_until is None or time.monotonic() > upload.ask_until:
        upload.ask_until = None
        upload.predict()
        st.rerun()
