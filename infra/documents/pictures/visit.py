"""The pages in a real browser: a correction is filmed, and pages are photographed."""

import io
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2
from PIL import Image
from playwright.sync_api import Page, ViewportSize, sync_playwright

from infra.documents.pictures.animation import Shot
from infra.documents.pictures.subject import Subject
from pappus.stack_client import RunningStack
from shared.contract.roles import Role

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"]
SIZE: ViewportSize = {"width": 1300, "height": 860}
PHONE: ViewportSize = {"width": 390, "height": 844}
WAIT_MS = 60_000
LOOK_SECONDS = 0.01
LIVE = re.compile(r"live in \S+ after ([\d.]+ m?s)")
STYLE = """[data-testid=stToolbar], [data-testid=stDecoration], [data-testid=stStatusWidget] { display: none }
[data-testid=stMainBlockContainer] { padding-top: 1rem !important }"""
"""Without the tools of Streamlit, and with less empty space: a README has little room."""


class Replicas:
    """What each replica of the predictor says about one picture, asked again and again by threads of its own."""

    def __init__(self, running: RunningStack, data: bytes) -> None:
        self.answers: dict[str, str] = {f"replica {number}": "" for number in range(len(running.replicas))}
        self._data = data
        self._headers = {"X-Api-Key": running.predictor_key} if running.predictor_key else {}
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(name, url))
            for name, url in zip(self.answers, running.replicas, strict=True)
        ]

    def __enter__(self) -> "Replicas":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, name: str, url: str) -> None:
        with httpx2.Client(base_url=url, headers=self._headers) as client:
            while not self._over.is_set():
                self.answers[name] = label_of(client, self._data)
                self._over.wait(LOOK_SECONDS)


def label_of(client: httpx2.Client, data: bytes) -> str:
    """Return the label that a predictor gives to these bytes."""
    answer = client.post("/predict", files={"file": ("photo.jpg", data)})
    return str(answer.raise_for_status().json()["label"])


@contextmanager
def logged_in(running: RunningStack, role: Role = "labeler", size: ViewportSize = SIZE) -> Iterator[Page]:
    """Open the pages in a browser of this size, as the person with this role."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport=size)
        page.set_default_timeout(WAIT_MS)
        page.goto(running.ui)
        page.get_by_role("textbox", name="Name").fill(role)
        page.get_by_role("textbox", name="Password").fill(running.logins[role].password)
        page.keyboard.press("Enter")
        page.get_by_text("Choose images").wait_for()
        page.add_style_tag(content=STYLE)
        yield page
        browser.close()


def film_correction(page: Page, running: RunningStack, subject: Subject, key: str) -> list[Shot]:
    """Upload the picture, press the key of the right label, and look until the page says that the correction is live.

    Returns:
        The shots; the last one is the page at the end.
    """
    page.locator("input[type=file]").set_input_files(
        {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": subject.data}
    )
    page.get_by_role("heading", name="The model says").wait_for()
    page.get_by_role("button", name=subject.truth).wait_for()
    with Replicas(running, subject.data) as replicas:
        _until_all_say(replicas.answers, subject.said)
        seen, said = _look(page), dict(replicas.answers)
        shots = [
            Shot(seen, "A new picture, and a wrong answer.", 2500, said, subject.truth),
            Shot(seen, f"One key: {key}", 1200, said, subject.truth),
        ]
        page.keyboard.press(key)
        return [*shots, *_until_live(page, replicas.answers, subject)]


def _until_live(page: Page, answers: Mapping[str, str], subject: Subject) -> list[Shot]:
    """Return shots from the key that was pressed until the page knows when the correction was live."""
    pressed, shots = time.monotonic(), list[Shot]()
    live = page.get_by_text(LIVE)
    while not (live.is_visible() and page.get_by_text(f"now it says {subject.truth}").is_visible()):
        if time.monotonic() - pressed > WAIT_MS / 1000:
            raise TimeoutError(f"The correction is not live after {WAIT_MS / 1000:.0f} s: see pappus history")
        began, said, seen = time.monotonic(), dict(answers), _look(page)
        spent = round(1000 * (time.monotonic() - began))
        shots.append(Shot(seen, f"{began - pressed:.1f} s after the key", max(spent, 100), said, subject.truth))
    _until_all_say(answers, subject.truth)
    took = LIVE.search(live.inner_text())
    assert took is not None
    told = f"Live on both replicas after {took.group(1)}, without a restart"
    return [*shots, Shot(_look(page), told, 5000, dict(answers), subject.truth)]


def _until_all_say(answers: Mapping[str, str], label: str) -> None:
    deadline = time.monotonic() + WAIT_MS / 1000
    while set(answers.values()) != {label}:
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not all replicas say {label}: {dict(answers)}")
        time.sleep(LOOK_SECONDS)


def photograph_review(page: Page, running: RunningStack) -> Image.Image:
    """Return the review page with an image that is to be judged."""
    page.goto(f"{running.ui}/review")
    page.get_by_role("heading", name="The model says").wait_for()
    page.add_style_tag(content=STYLE)
    page.locator("#review .stage img").wait_for()
    page.wait_for_load_state("networkidle")
    return _look(page)


def photograph_page(page: Page, address: str, ready: str, height: int = SIZE["height"]) -> Image.Image:
    """Return a page of this height as soon as something that `ready` selects is there, with its charts and pictures."""
    page.set_viewport_size({"width": (page.viewport_size or SIZE)["width"], "height": height})
    page.goto(address)
    page.locator(ready).first.wait_for()
    page.add_style_tag(content=STYLE)
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton]')")
    page.wait_for_load_state("networkidle")
    return _look(page)


def _look(page: Page) -> Image.Image:
    with Image.open(io.BytesIO(page.screenshot())) as seen:
        return seen.convert("RGB")
