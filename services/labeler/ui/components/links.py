"""Links from one page to another, which keep what the tab has."""

from collections.abc import Mapping
from urllib.parse import urlencode
from uuid import UUID

import streamlit as st

from services.labeler.ui.messages import plain


def link_to_image(image_id: UUID, text: str = "Open") -> None:
    """Draw a link to the page of an image."""
    _link("image", text, {"id": str(image_id)})


def link_to_model(version: str | None, text: str, against: str | None = None) -> None:
    """Draw a link to a model, compared with another one if `against` names it; to all models if `version` is None."""
    _link("models", text, {"version": version, "against": against}, icon="" if version else ":material/arrow_back:")


def link_to_review(asked: Mapping[str, str | list[str]], text: str) -> None:
    """Draw a link to the queue of Review with this address."""
    page = st.Page(_no_page, title="Review", url_path="review")
    st.page_link(page, label=plain(text), icon=":material/checklist:", query_params=asked)


def browse_address(**filters: str | None) -> str:
    """Return the address of the images that these filters leave, relative to any page."""
    return f"browse?{urlencode({name: value for name, value in filters.items() if value})}"


def _link(path: str, text: str, query: Mapping[str, str | None], icon: str = "") -> None:
    # Streamlit knows a page by its path: what it is given here is never run.
    page = st.Page(_no_page, title=path.title(), url_path=path)
    asked = {name: value for name, value in query.items() if value}
    st.page_link(page, label=plain(text), icon=icon or None, query_params=asked)


def _no_page() -> None:
    """Stand for a page that is known by its path."""
