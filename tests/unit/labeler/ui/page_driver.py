"""Actions of a person on the pages, and what the pages show."""

from streamlit.testing.v1 import AppTest

from .fake_apis import PICTURE


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


def progress(page: AppTest) -> list[str]:
    """Return the texts of all progress bars."""
    return [each.proto.text for each in page.get("progress")]
