"""The page Add: one image or many. Of a single one: the model's answer, its correction, and how that takes effect."""

import time
from functools import partial

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from services.labeler.settings import LIMIT_MEGABYTES
from services.labeler.ui import messages
from services.labeler.ui.api_clients import Declined, LoggedOut
from services.labeler.ui.components.add import add_files
from services.labeler.ui.components.buttons import follow, label_buttons, probability_bars
from services.labeler.ui.components.image_view import THUMBNAIL_PIXELS, load_picture, show_file
from services.labeler.ui.components.presses import ask
from services.labeler.ui.components.withdrawal import confirm_withdrawal, withdraw_button
from services.labeler.ui.metrics import PAGE_VIEWS
from services.labeler.ui.sessions.tab import class_names, clients, keep_work, labels, log_out, may, session
from services.labeler.ui.sessions.upload_session import UploadSession
from shared.clients.answers import Prediction
from shared.clients.predictor import get_serving_model
from shared.runtime.errors import TransientError

LOOK_EVERY_SECONDS = 0.3
STYLE = """<style>
@media (max-width: 640px), (pointer: coarse) {
  [data-testid="stFileUploader"] button, [data-testid="stCameraInput"] button { min-height: 2.75rem; }
  .st-key-camera-on label { min-height: 2.75rem; align-items: center; }
}
</style>"""
LOGGED_OUT = "The session has ended. Log in again: files that are not sent yet are kept in this tab."


def page() -> None:
    """Show the ways to add images, the cards of several, or the single one."""
    PAGE_VIEWS.labels("upload").inc()
    st.title("Add")
    st.html(STYLE)
    chosen = st.file_uploader(
        "Choose images, or drop them here: files, folders, ZIP archives",
        max_upload_size=LIMIT_MEGABYTES,
        key="file",
    )
    left, right = st.columns([1.4, 1], vertical_alignment="bottom")
    label = left.selectbox(
        "These are all", labels(), index=None, key="claimed", placeholder="The model says what they are"
    )
    camera = right.toggle("Use the camera", key="camera-on")  # asked for only when the person wants it
    photo = left.camera_input("Take a photo", key="camera") if camera else None
    if (current := session()) is None:
        raise LoggedOut(LOGGED_OUT)
    limit_bytes = LIMIT_MEGABYTES * 1_048_576
    added = add_files(current, labels(), limit_bytes, label, camera, may("labeler"), class_names())
    if added.logged_out:
        raise LoggedOut(LOGGED_OUT)
    upload = _current(photo or chosen, label)
    if upload is not None and (upload.unsent or photo is not None or not added.has_cards):
        _draw(upload)
        ask(upload.click_guard)
    elif not added.has_cards:
        st.markdown("The model answers at once. If it is wrong, one key corrects it, and it learns within a second.")


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


def _current(chosen: UploadedFile | None, label: str | None) -> UploadSession | None:
    """Return the session of the chosen file, with the label that the person gave with it, unless an earlier one stays;
    None without either."""
    old: UploadSession | None = st.session_state.get("upload_session")
    if old is not None:
        old.click_guard.begin()
    new = None if chosen is None else UploadSession(chosen.name, chosen.getvalue(), label)
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
    if not may("labeler"):
        st.markdown(f"The image is saved. {labelled}")
        st.caption(messages.LABELERS_DECIDE)
        return
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
    elif sent.outcome in ("voted", "superseded"):
        st.warning(messages.plain(sent.detail or messages.KEPT_AS_VOTE))
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
