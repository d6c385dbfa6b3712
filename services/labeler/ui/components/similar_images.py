"""A closed row below a picture: the stored images that look most like it to the model."""

from uuid import UUID

import streamlit as st

from services.labeler.ui import messages
from services.labeler.ui.api_clients import Declined
from services.labeler.ui.components.image_view import THUMBNAIL_PIXELS, load_picture
from services.labeler.ui.sessions.tab import clients
from shared.clients.similar import SimilarImage, SimilarImages, get_similar
from shared.runtime.errors import TransientError

SHOWN = 12


def similar_images(image_id: UUID) -> None:
    """Draw the row. Only when a person opens it, the images are asked for."""
    row = st.expander("Similar images", key=similar_key(image_id), on_change="rerun")
    if not row.open:
        return
    with row:
        try:
            found = clients().labeler.send(get_similar(image_id, SHOWN))
        except (TransientError, Declined) as error:
            st.caption(messages.plain(str(error)))
            return
        _show(found)


def similar_key(image_id: UUID) -> str:
    """Return the key of the row of an image: whether it is open; the row of the next image is closed again."""
    return f"similar-{image_id}"


def _show(found: SimilarImages) -> None:
    if not found.items:
        st.caption(messages.plain(found.why_none))
        return
    with st.container(horizontal=True):
        for image in found.items:
            _show_image(image)


def _show_image(image: SimilarImage) -> None:
    picture = load_picture(image.image_id, THUMBNAIL_PIXELS)
    if picture is None:  # withdrawn a moment ago, or the store is away
        return
    label = messages.similar(image)
    with st.container(width=96):
        st.image(picture, width=96, alt=f"A similar image: {label}")
        st.caption(label)
