"""Images on the pages: upright and small, inside the page itself, so that none is missing."""

import threading
from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import streamlit as st
from streamlit.runtime.scriptrunner import add_script_run_ctx, get_script_run_ctx

from services.labeler.ui.api_clients import Declined, LabelerClient
from services.labeler.ui.sessions.tab import clients
from shared.clients.labeler import get_image_content, get_rendition
from shared.imaging.decoding import UndecodableImage
from shared.imaging.rendition import MEDIA_TYPE, render
from shared.runtime.errors import TransientError

SHOWN_PIXELS = 1280
THUMBNAIL_PIXELS = 144
LOADED_AT_ONCE = 6
"""Longest sides; a page shows them at most half as large on a dense screen."""


def load_image(image_id: UUID) -> bytes | None:
    """Return the original bytes of a stored image, for the model; None if they are not available right now."""
    try:
        return _content(clients().labeler, image_id)
    except (TransientError, Declined):
        return None


def load_picture(image_id: UUID, longest_side: int = SHOWN_PIXELS) -> str | None:
    """Return a stored image as people see it, as an address for `st.image`; None if it is not available right now."""
    try:
        return _picture(clients().labeler, image_id, longest_side)
    except (TransientError, Declined):
        return None


def load_pictures(image_ids: Sequence[UUID], longest_side: int = THUMBNAIL_PIXELS) -> dict[UUID, str | None]:
    """Return several stored images at once, as `load_picture` does."""
    context = get_script_run_ctx()
    with ThreadPoolExecutor(
        LOADED_AT_ONCE, initializer=lambda: add_script_run_ctx(threading.current_thread(), context)
    ) as pool:
        found = pool.map(lambda image_id: load_picture(image_id, longest_side), image_ids)
        return dict(zip(image_ids, found, strict=True))


def show_picture(address: str, description: str) -> None:
    """Show a picture as wide as its column."""
    st.image(address, width="stretch", alt=description)


def show_file(data: bytes, name: str) -> None:
    """Show the image in a chosen file; nothing if it is none, since the page says so elsewhere."""
    if (address := _local_picture(data)) is not None:
        show_picture(address, name)


@st.cache_data(max_entries=50, show_spinner=False)
def _content(_client: LabelerClient, image_id: UUID) -> bytes:
    return _client.send(get_image_content(image_id))


@st.cache_data(max_entries=200, show_spinner=False)
def _picture(_client: LabelerClient, image_id: UUID, longest_side: int) -> str:
    return _address(_client.send(get_rendition(image_id, longest_side)))


@st.cache_data(max_entries=50, show_spinner=False)
def _local_picture(data: bytes) -> str | None:
    try:
        return _address(render(data, SHOWN_PIXELS))
    except UndecodableImage:
        return None


def _address(picture: bytes) -> str:
    return f"data:{MEDIA_TYPE};base64,{b64encode(picture).decode()}"
