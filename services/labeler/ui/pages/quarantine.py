"""The Quarantine page: images that resemble both training and test images, and what they resemble."""

from dataclasses import dataclass, field

import streamlit as st

from services.labeler.ui import messages
from services.labeler.ui.components.image_view import THUMBNAIL_PIXELS, load_picture
from services.labeler.ui.components.links import link_to_image
from services.labeler.ui.components.presses import ask
from services.labeler.ui.components.withdrawal import confirm_withdrawal, show_notice, withdraw_button
from services.labeler.ui.metrics import PAGE_VIEWS
from services.labeler.ui.sessions.click_guard import ClickGuard
from services.labeler.ui.sessions.tab import clients, may
from services.labeler.ui.sessions.withdrawing import Withdrawing
from shared.clients.answers import ImageView, ResembledGroup
from shared.clients.labeler import list_quarantined

SHOWN = 20
LONGEST_SIDE = 640
EXPLANATION = """
These images resemble images that models learn from and images that they are tested with: copies that were cropped,
resized or mirrored. They are in neither, else a model would be tested on what it has learned. They are answered like
any others, and a label that you set in Review is followed.

Nothing has to be done. {operators} It does not help to withdraw what it resembles: an image never changes its side.
"""
MAY_WITHDRAW = "If an image should not be here at all, withdraw it."
MAY_NOT_WITHDRAW = "If an image should not be here at all, an operator can withdraw it."


@dataclass
class QuarantineSession:
    """The question that the page asks."""

    withdrawing: Withdrawing = field(default_factory=Withdrawing)
    click_guard: ClickGuard = field(default_factory=ClickGuard)


def page() -> None:
    """List the quarantined images."""
    PAGE_VIEWS.labels("quarantine").inc()
    shown: QuarantineSession = st.session_state.setdefault("quarantine_session", QuarantineSession())
    shown.click_guard.begin()
    st.title("Quarantine")
    found = clients().labeler.send(list_quarantined(SHOWN + 1))
    show_notice(shown.withdrawing)
    if not found:
        st.success("No image is quarantined: none resembles both training and test images.")
        return
    st.markdown(EXPLANATION.format(operators=MAY_WITHDRAW if may("operator") else MAY_NOT_WITHDRAW))
    for image in found[:SHOWN]:
        _show(image, shown)
    if len(found) > SHOWN:
        st.caption(f"The newest {SHOWN} are shown. `GET /quarantine?limit=1000` of the labeling API lists more.")
    ask(shown.click_guard)


def _show(image: ImageView, shown: QuarantineSession) -> None:
    with st.container(border=True):
        left, right = st.columns([1, 1.4], gap="large")
        with left:
            if picture := load_picture(image.image_id, LONGEST_SIDE):
                st.image(picture, width="stretch", alt="A quarantined image")
            else:
                st.caption("The image cannot be shown right now.")
        with right:
            label = f"labelled **{messages.plain(image.label)}**" if image.label else "without a label"
            st.markdown(f"From {messages.plain(image.registered_by or 'a data set')}, {label}. It resembles:")
            for column, group in zip(st.columns(max(2, len(image.resembles))), image.resembles, strict=False):
                with column:
                    _show_group(group)
            link_to_image(image.image_id, "Everything about this image")
            if not confirm_withdrawal(shown.click_guard, shown.withdrawing, image.image_id, lambda: None):
                withdraw_button(shown.click_guard, shown.withdrawing, image.image_id, notice=False)


def _show_group(group: ResembledGroup) -> None:
    st.markdown(messages.resembled(group))
    with st.container(horizontal=True):
        for image_id in group.images:
            if picture := load_picture(image_id, THUMBNAIL_PIXELS):
                st.image(picture, width=96, alt=f"An image it resembles: {messages.resembled(group)}")
