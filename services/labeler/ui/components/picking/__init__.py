"""Selecting many images at once in the browser: with Shift and a click, or by a rectangle around them."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from shared.clients.browse import ListedImage

ASSETS = Path(__file__).parent / "assets"
KEY = "picking"


@cache
def _component() -> Callable[..., Any]:
    """Return what mounts the component; it is registered when a page is drawn for the first time."""
    return st.components.v2.component("pappus_picking", js=(ASSETS / "picking.js").read_text(encoding="utf-8"))


def watch_picking(images: Sequence[ListedImage], select: Callable[[list[ListedImage]], None]) -> None:
    """Let the browser watch for selections of several of these images, and call `select` with them."""
    by_id = {str(image.image_id): image for image in images}

    def picked() -> None:
        said = (st.session_state.get(KEY) or {}).get("picked") or []
        select([by_id[one] for one in said if one in by_id])

    _component()(key=KEY, on_picked_change=picked)
