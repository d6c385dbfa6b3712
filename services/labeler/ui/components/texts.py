"""Texts as several pages draw them."""

from typing import Literal

import streamlit as st


def small(text: str, width: Literal["stretch", "content"] = "stretch") -> None:
    """Draw Markdown in small letters, as dark as any other text."""
    st.markdown(f":small[{text}]", width=width)
