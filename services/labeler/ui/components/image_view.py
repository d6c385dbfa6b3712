"""Images on the pages, and the bytes of stored ones."""

from uuid import UUID

import streamlit as st
from PIL.Image import DecompressionBombError

from services.labeler.ui.api_clients import Declined, LabelerClient
from services.labeler.ui.sessions.tab import clients
from shared.clients.labeler import get_image_content
from shared.runtime.errors import TransientError


def load_image(image_id: UUID) -> bytes | None:
    """Return the bytes of a stored image; None if they are not available right now."""
    try:
        return _content(clients().labeler, image_id)
    except (TransientError, Declined):
        return None


def show_image(data: bytes, description: str) -> bool:
    """Show an image as wide as its column, or a warning if it cannot be decoded. Return whether it is shown."""
    try:
        st.image(data, width="stretch", alt=description)
    except (OSError, ValueError, SyntaxError, DecompressionBombError):  # everything Pillow raises about broken files
        st.warning("This file cannot be shown as an image.")
        return False
    return True


@st.cache_data(max_entries=200, show_spinner=False)
def _content(_client: LabelerClient, image_id: UUID) -> bytes:
    return _client.send(get_image_content(image_id))
