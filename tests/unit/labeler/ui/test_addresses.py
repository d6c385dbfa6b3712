"""The addresses of the pages."""

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from services.labeler.ui.pages.menu import ENTRIES, entries_for

from .fake_apis import session
from .page_driver import press

Addresses = list[list[str]]


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> Addresses:
    """The addresses of the pages in each run."""
    found, real = Addresses(), st.navigation

    def recorded(pages: list[st.Page], **options: str) -> st.Page:
        found.append([page.url_path for page in pages])
        return real(pages, **options)  # type: ignore[arg-type]  # the options of the real one

    monkeypatch.setattr(st, "navigation", recorded)
    return found


def test_every_page_has_its_address_before_the_login(anna: AppTest, addresses: Addresses) -> None:
    anna.run()
    press(anna, "Log out")

    assert anna.title[0].value == "Pappus"
    home = ENTRIES[0].path  # which is at / and at its own address
    assert addresses[0] == ["", *(entry.path for entry in entries_for(session())[1:]), home]
    assert addresses[-1] == ["", *(entry.path for entry in ENTRIES[1:]), home]
