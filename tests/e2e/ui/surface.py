"""The surface of Review as a person uses it in a browser, for tests."""

import io
from dataclasses import dataclass
from typing import Any

from PIL import Image as PillowImage
from playwright.sync_api import Page, expect

from tests.unit.labeler.ui.fake_apis import FakeApis
from tests.unit.labeler.ui.fake_images import Image

WAIT_MS = 30_000
SPEED = """() => {
  const roots = [...document.querySelectorAll("*")].map((one) => one.shadowRoot);
  const root = roots.find((one) => one?.querySelector("#review"));
  const shown = () => root.querySelector(".stage img")?.src;
  window.times = [];
  window.frames = [];
  let last = performance.now();
  const count = () => { const now = performance.now(); window.frames.push(now - last); last = now;
    if (window.frames.length < 60) requestAnimationFrame(count); };
  requestAnimationFrame(count);
  window.addEventListener("keydown", (event) => {
    const before = shown();
    const look = () => {
      if (shown() === before) return requestAnimationFrame(look);
      requestAnimationFrame(() => window.times.push(performance.now() - event.timeStamp));  // the frame before is drawn
    };
    requestAnimationFrame(look);
  }, true);
}"""
"""Measures the milliseconds from each key to the frame after that in which another picture is drawn; and 60 frames."""
ENOUGH = "async ([name, number]) => { while (window[name].length < number) await new Promise(requestAnimationFrame); }"
"""Waits until so many were measured: what is evaluated again and again would need the right to evaluate text."""


def photograph(number: int) -> bytes:
    """Return a picture that no other number has."""
    picture = PillowImage.new("RGB", (320, 240), (number * 37 % 256, number * 91 % 256, number * 53 % 256))
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


@dataclass
class Surface:
    """Review, opened in `page`."""

    page: Page

    @property
    def image(self) -> str | None:
        """The id of the image that is shown, empty for none."""
        return self.page.locator("#review").get_attribute("data-image")

    def press(self, *keys: str) -> None:
        """Press keys, one right after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def shows(self, image: Image) -> None:
        """Wait until this image is shown, and its picture is there."""
        expect(self.page.locator(f"#review[data-image='{image.image_id}'] .stage img")).to_be_visible(timeout=WAIT_MS)

    def counts(self, done: int, left: int) -> None:
        """Wait until so many are done and so many are to go."""
        expect(self.page.locator("#review .progress")).to_have_text(
            f"{done} done in this session · {left} to go", timeout=WAIT_MS
        )

    def last(self, *texts: str) -> None:
        """Wait until the newest moves have these texts, the newest first."""
        for at, text in enumerate(texts):
            expect(self.page.locator("#review .last li").nth(at)).to_contain_text(text, timeout=WAIT_MS)

    def loaded(self, number: int) -> None:
        """Wait until so many pictures can be shown at once."""
        expect(self.page.locator("#review")).to_have_attribute("data-ready", str(number), timeout=WAIT_MS)

    def boxes(self) -> dict[str, Any]:
        """Return where each button is."""
        return {
            button.get_attribute("aria-keyshortcuts") or "": button.bounding_box()
            for button in self.page.locator("#review .actions button").all()
        }


def review(page: Page, apis: FakeApis, number: int, **facts: Any) -> tuple[Surface, list[Image]]:
    """Open the review of so many images."""
    images = [apis.add(**{"label": "dandelion", "picture": photograph(each)} | facts) for each in range(number)]
    page.get_by_role("link", name="Review").click()
    surface = Surface(page)
    surface.shows(images[0])
    surface.counts(0, number)
    surface.loaded(number)
    return surface, images


def set_labels(images: list[Image]) -> list[list[str | None]]:
    """Return what each image was labelled, one label after the other."""
    return [[entry["label_to"] for entry in image.history] for image in images]
