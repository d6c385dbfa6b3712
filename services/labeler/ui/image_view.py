"""Images on the pages, and the bytes of stored ones."""

from uuid import UUID

import streamlit as st
from PIL.Image import DecompressionBombError

from services.labeler.ui.clients import Declined, LabelerClient
from services.labeler.ui.state import clients
from shared.runtime.errors import TransientError


def picture(image_id: UUID) -> bytes | None:
    """The bytes of a stored image; None if they cannot be had right now."""
    try:
        return _content(clients().labeler, image_id)
    except (TransientError, Declined):
        return None


def show(data: bytes, description: str) -> bool:
    """Show an image as large as its place, or say that these bytes are none; whether it is shown."""
    try:
        st.image(data, width="stretch", alt=description)
    except (OSError, ValueError, SyntaxError, DecompressionBombError):  # all of what Pillow says about broken files
        st.warning("These bytes cannot be shown as an image.")
        return False
    return True


@st.cache_data(max_entries=200, show_spinner=False)
def _content(_client: LabelerClient, image_id: UUID) -> bytes:
    return _client.content(image_id)
