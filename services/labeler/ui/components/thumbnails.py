"""Small pictures side by side, each with a link to its image."""

from collections.abc import Iterable, Sequence
from uuid import UUID

import streamlit as st

from services.labeler.ui.components.image_view import THUMBNAIL_PIXELS, load_picture
from services.labeler.ui.components.links import link_to_image

MOST = 30
WIDTH_PIXELS = 104


def thumbnails(images: Iterable[tuple[UUID, str]], alt: str, most: int = MOST) -> None:
    """Draw images with a few words below each, at most `most` of them; pictures that are gone keep their words. `alt`
    says to those who cannot see them what they have in common."""
    listed: Sequence[tuple[UUID, str]] = list(images)
    with st.container(horizontal=True):
        for image_id, text in listed[:most]:
            with st.container(width=WIDTH_PIXELS, gap=None):
                if picture := load_picture(image_id, THUMBNAIL_PIXELS):
                    st.image(picture, width=WIDTH_PIXELS, alt=f"{alt}: {text}")
                else:
                    st.caption("no picture")
                link_to_image(image_id, text)
    if len(listed) > most:
        st.caption(f"The first {most} of {len(listed)} are shown.")
