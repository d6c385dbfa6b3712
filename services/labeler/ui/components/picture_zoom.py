"""A picture to look at closely: as wide as its column, or larger in a box that scrolls."""

import html
from uuid import UUID

import streamlit as st

from services.labeler.ui.components.image_view import load_picture, show_picture
from shared.imaging.rendition import LONGEST_SIDE

FIT = "Fit"
SIZES = {FIT: 0.0, "100 %": 1.0, "200 %": 2.0, "400 %": 4.0}
"""Pixels of the screen for each pixel of the rendition; 0: as wide as the column."""


def picture_zoom(image_id: UUID, width: int | None, height: int | None, description: str) -> bool:
    """Draw the picture, whose original has so many pixels, with a choice of its size. Return whether it is there."""
    size = st.segmented_control(
        "Size", list(SIZES), default=FIT, required=True, key=f"size-{image_id}", label_visibility="collapsed"
    )
    scale = SIZES[size or FIT]
    picture = load_picture(image_id, LONGEST_SIDE) if scale else load_picture(image_id)
    if picture is None:
        st.warning("The picture cannot be shown right now. Try again in a moment.")
        return False
    if not scale:
        show_picture(picture, description)
        return True
    shown = min(1.0, LONGEST_SIDE / max(width or 1, height or 1)) * scale
    st.html(
        f'<div tabindex="0" role="region" aria-label="The picture, enlarged" style="overflow:auto;max-height:75vh">'
        f'<img src="{picture}" alt="{html.escape(description, quote=True)}"'
        f' style="max-width:none;width:{round((width or 0) * shown)}px;image-rendering:auto"></div>'
    )
    return True
