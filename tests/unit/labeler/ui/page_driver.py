"""Actions of a person on the pages, and what the pages show."""

import json
from typing import Any
from uuid import UUID

from streamlit.testing.v1 import AppTest

from services.labeler.ui.review.surface import KEY

from .fake_images import PICTURE
from .review_moves import Tab


def press(page: AppTest, label: str) -> AppTest:
    """Press the button with this label and run the page again."""
    [button] = [each for each in page.button if each.label == label]
    button.click()
    return page.run()


def shown_text(page: AppTest) -> str:
    """Return all texts of the page."""
    kinds = (page.markdown, page.caption, page.info, page.success, page.warning, page.error, page.subheader)
    return "\n".join(str(each.value) for kind in kinds for each in kind)


def upload(page: AppTest, name: str = "flower.png", data: bytes = PICTURE) -> AppTest:
    """Choose an image file."""
    page.run()
    page.file_uploader(key="file").upload(name, data, "image/png")
    return page.run()


def log_in(page: AppTest, name: str = "anna") -> AppTest:
    """Fill in the login and submit it."""
    page.text_input(key="login-name").input(name)
    page.text_input(key="login-password").input("right")
    return press(page, "Log in")


def buttons(page: AppTest) -> list[str]:
    """Return the labels of all buttons."""
    return [each.label for each in page.button]


def told(page: AppTest) -> dict[str, Any]:
    """Return what the surface of Review is told."""
    [surface] = page.get("bidi_component")
    found: dict[str, Any] = json.loads(surface.proto.json)
    return found


def say(page: AppTest, tab: Tab, current: UUID | None) -> AppTest:
    """Let the surface of Review say what was done in it, and which image it shows."""
    page.session_state[KEY] = {"said": tab.says(current)}
    return page.run()
