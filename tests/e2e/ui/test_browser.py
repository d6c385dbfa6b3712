"""The pages in a real browser: what only a keyboard can show. The APIs are fakes; the pages are a process."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from PIL import Image as PillowImage
from playwright.sync_api import Browser, Page, expect, sync_playwright

from pappus.stack.ports import free_ports
from services.labeler.ui.sessions import cookie
from tests.unit.labeler.ui.fake_apis import TOKEN, FakeApis, Image, session

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"]
PRESSES_LATER_THAN_TIMERS = """() => {
  const real = window.setTimeout;
  window.setTimeout = (act, milliseconds, ...rest) => real(act, milliseconds || 700, ...rest);
}"""  # the pages send a press in a timeout of 0; their timers ask every 300 ms
AS_STORED = {  # how a camera stores an upright picture that it marks with this EXIF orientation
    2: PillowImage.Transpose.FLIP_LEFT_RIGHT,
    3: PillowImage.Transpose.ROTATE_180,
    4: PillowImage.Transpose.FLIP_TOP_BOTTOM,
    5: PillowImage.Transpose.TRANSPOSE,
    6: PillowImage.Transpose.ROTATE_90,
    7: PillowImage.Transpose.TRANSVERSE,
    8: PillowImage.Transpose.ROTATE_270,
}
FLOWER = Path(__file__).with_name("flower.png")

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"There is no browser at {CHROMIUM}; set CHROMIUM to one."),
]


@contextmanager
def served(answer: Callable[[httpx2.Request], httpx2.Response]) -> Iterator[str]:
    """Serve `answer` on a free port; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            response = answer(
                httpx2.Request(self.command, f"http://fake{self.path}", headers=dict(self.headers), content=body)
            )
            self.send_response(response.status_code)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(response.content)

        do_POST = do_GET  # noqa: N815 - the name the server calls

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name the server uses
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Stage:
    """The pages with fake APIs, fresh ones for each test. `address` is that of the pages."""

    apis: FakeApis
    address: str = ""

    def labeler(self, request: httpx2.Request) -> httpx2.Response:
        """Answer as the labeler's API of this test."""
        return self.apis.labeler(request)

    def predictor(self, request: httpx2.Request) -> httpx2.Response:
        """Answer as the predictor's API of this test."""
        return self.apis.predictor(request)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """The pages, served by their own process as in operation."""
    stage = Stage(FakeApis())
    with served(stage.labeler) as labeler, served(stage.predictor) as predictor:
        port = free_ports(("ui",))["ui"]
        settings = {"PORT": str(port), "LABELER_URL": labeler, "PREDICTOR_URL": predictor}
        environment = os.environ | {f"PAPPUS_{name}": value for name, value in settings.items()}
        process = subprocess.Popen([sys.executable, "-m", "services.labeler.ui"], env=environment)
        try:
            wait_for(f"http://127.0.0.1:{port}/_stcore/health")
            stage.address = f"http://127.0.0.1:{port}"
            yield stage
        finally:
            process.terminate()
            assert process.wait(timeout=20) == 0


def wait_for(address: str, timeout_seconds: float = 120.0) -> None:
    """Wait until the address answers 200."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        with suppress(httpx2.TransportError):
            if httpx2.get(address).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"{address} did not answer within {timeout_seconds:g} s.")


@pytest.fixture
def apis(stage: Stage) -> FakeApis:
    """The APIs of this test."""
    stage.apis = FakeApis()
    return stage.apis


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser; each test has a profile of its own in it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def stranger(browser: Browser) -> Iterator[Page]:
    """A page of a person who is not logged in."""
    with browser.new_context(viewport={"width": 1280, "height": 860}) as context:
        context.set_default_timeout(30_000)
        page, refused = context.new_page(), list[str]()
        page.on("console", lambda said: refused.append(said.text) if "Content Security Policy" in said.text else None)
        yield page
        assert refused == []


@pytest.fixture
def page(stranger: Page, stage: Stage, apis: FakeApis) -> Page:
    """Anna's page, with the cookie of a login of her own."""
    login = cookie.encode(session(token=f"{TOKEN} {uuid4()}"))
    stranger.context.add_cookies([{"name": cookie.COOKIE, "value": login, "url": stage.address}])
    stranger.goto(stage.address)
    stranger.get_by_text("Choose an image").wait_for()
    return stranger


def log_in(page: Page, address: str) -> None:
    """Log in as Anna, by hand."""
    page.goto(address)
    page.get_by_role("textbox", name="Name").fill("anna")
    page.get_by_role("textbox", name="Password").fill("right")
    page.keyboard.press("Enter")
    page.get_by_text("Choose an image").wait_for()


def test_from_a_login_to_a_live_correction_with_one_key(stranger: Page, stage: Stage, apis: FakeApis) -> None:
    page = stranger
    log_in(page, stage.address)
    page.locator("input[type=file]").set_input_files(FLOWER)
    page.get_by_role("heading", name="The model says dandelion").wait_for()
    page.get_by_role("button", name="grass").wait_for()
    apis.share = 0.02
    page.keyboard.press("2")

    expect(page.get_by_text("is saved; live in fast-1 after 0.00 s.")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("The model said dandelion (80%); now it says grass (98%).")).to_be_visible(timeout=30_000)
    assert [correction["label"] for correction in apis.published] == ["grass"]


def press(page: Page, key: str, then: str) -> None:
    """Press a key that answers what the review asks, until the next question is there, under a progress of `then`."""
    old = turn_of(page)
    page.keyboard.press(key)
    expect(page.locator(f"[class*='{old}']")).to_have_count(0, timeout=30_000)
    expect(page.get_by_text(then)).to_be_visible(timeout=30_000)


def turn_of(page: Page) -> str:
    """Return the turn whose buttons are there: a button's class is its key."""
    skip = page.locator(".stElementContainer[class*='-Skip']")
    found = re.search(r"st-key-(\w+)-Skip", skip.get_attribute("class") or "")
    assert found, "The button Skip says no turn."
    return found[1]


def review(page: Page, apis: FakeApis, number: int) -> list[Image]:
    """Open the review of so many images."""
    images = [apis.add(label="dandelion") for _ in range(number)]
    page.get_by_role("link", name="Review").click()
    expect(page.get_by_text(f"0 done in this session · {number} to go")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Skip").wait_for()
    page.locator("[data-pappus-turn]").wait_for(state="attached")
    return images


def set_labels(images: list[Image]) -> list[list[str]]:
    """Return what each image was labelled, one label after the other."""
    return [[entry["label_to"] for entry in image.history] for image in images]


def test_a_queue_is_worked_through_with_the_keyboard_alone(page: Page, apis: FakeApis) -> None:
    images = review(page, apis, 4)
    steps = (("1", 1, 3, 1), ("2", 2, 2, 2), ("u", 1, 3, 3), ("1", 2, 2, 4), ("s", 2, 2, 4), ("2", 3, 1, 5))
    for key, done, left, published in steps:
        press(page, key, f"{done} done in this session · {left} to go")
        assert len(apis.published) == published, f"after {key}"

    expect(page.get_by_text("Only images you skipped")).to_be_visible(timeout=30_000)
    assert set_labels(images) == [["dandelion"], ["grass", None, "dandelion"], [], ["grass"]]


def test_a_press_that_the_browser_delivers_twice_labels_one_image(page: Page, apis: FakeApis) -> None:
    apis.live_in = None  # so that the effect of the first label is asked for all the time
    images = review(page, apis, 4)
    press(page, "1", "1 done in this session · 3 to go")
    page.evaluate(PRESSES_LATER_THAN_TIMERS)
    press(page, "2", "2 done in this session · 2 to go")
    press(page, "1", "3 done in this session · 1 to go")

    assert set_labels(images) == [["dandelion"], ["grass"], ["dandelion"], []]


def test_a_key_that_is_held_down_labels_one_image(page: Page, apis: FakeApis) -> None:
    images = review(page, apis, 4)
    old = turn_of(page)
    page.keyboard.down("2")
    expect(page.locator(f"[class*='{old}']")).to_have_count(0, timeout=30_000)
    for _ in range(10):
        page.keyboard.down("2")
    page.keyboard.up("2")
    press(page, "1", "2 done in this session · 2 to go")

    assert set_labels(images) == [["grass"], ["dandelion"], [], []]


def test_fast_keys_are_counted_or_refused_visibly(page: Page, apis: FakeApis) -> None:
    images = review(page, apis, 10)
    for _ in range(6):
        page.keyboard.press("1")
        page.wait_for_timeout(150)

    note = page.locator("#pappus-refused")
    refused = int(note.inner_text().split()[0]) if note.is_visible() else 0
    counted = 6 - refused
    expect(page.get_by_text(f"{counted} done in this session · {10 - counted} to go")).to_be_visible(timeout=30_000)
    assert len([image for image in images if image.history]) == counted
    assert all(len(image.history) <= 1 for image in images)


def test_a_reload_in_the_middle_of_a_review_loses_nothing(page: Page, apis: FakeApis) -> None:
    images = review(page, apis, 4)
    press(page, "1", "1 done in this session · 3 to go")
    page.keyboard.press("2")
    page.reload()
    expect(page.get_by_text("2 done in this session · 2 to go")).to_be_visible(timeout=30_000)
    press(page, "u", "1 done in this session · 3 to go")

    assert set_labels(images) == [["dandelion"], ["grass", None], [], []]


def test_a_reload_keeps_an_unsent_upload(page: Page, apis: FakeApis) -> None:
    apis.log_down = True
    page.locator("input[type=file]").set_input_files(FLOWER)
    page.get_by_text("The image could not be saved yet.").wait_for()
    page.reload()
    page.get_by_text("The image could not be saved yet.").wait_for()
    apis.log_down = False
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("button", name="grass").wait_for()

    assert len(apis.keys) == 1


def test_a_second_tab_is_logged_in_and_a_log_out_ends_it(stranger: Page, stage: Stage, apis: FakeApis) -> None:
    log_in(stranger, stage.address)
    tab = stranger.context.new_page()
    tab.goto(stage.address)
    tab.get_by_text("Choose an image").wait_for()
    [login] = [each for each in stranger.context.cookies() if each["name"] == cookie.COOKIE]
    assert (login["httpOnly"], login["sameSite"]) == (True, "Strict")

    tab.get_by_role("button", name="Log out").click()
    tab.get_by_role("textbox", name="Password").wait_for()
    tab.reload()
    tab.get_by_role("textbox", name="Password").wait_for()
    assert not [each for each in stranger.context.cookies() if each["name"] == cookie.COOKIE]


def test_phone_photos_of_all_orientations_stand_upright(page: Page, tmp_path: Path) -> None:
    upright = PillowImage.new("RGB", (4000, 3000), "green")
    upright.paste((255, 255, 255), (0, 0, 4000, 1500))  # the sky
    for orientation in range(1, 9):
        photo = tmp_path / f"photo-{orientation}.jpg"
        exif = PillowImage.Exif()
        exif[0x0112] = orientation
        stored = upright.transpose(AS_STORED[orientation]) if orientation > 1 else upright
        stored.save(photo, exif=exif)

        page.locator("input[type=file]").set_input_files(photo)
        picture = page.get_by_role("img", name=photo.name)
        picture.wait_for()

        assert picture.evaluate("one => one.naturalWidth > one.naturalHeight && one.naturalWidth <= 1600"), orientation
        shown = PillowImage.open(BytesIO(picture.screenshot())).convert("RGB")
        top, bottom = (shown.getpixel((shown.width // 2, round(shown.height * part))) for part in (0.2, 0.8))
        assert isinstance(top, tuple)
        assert isinstance(bottom, tuple)
        assert top[0] > 200 > 100 > bottom[0], orientation


def test_a_press_that_was_too_early_is_refused_visibly(page: Page, apis: FakeApis) -> None:
    images = review(page, apis, 3)
    page.evaluate("""() => { for (const key of ["1", "2", "2"])
      document.body.dispatchEvent(new KeyboardEvent("keydown", {key, code: "Digit" + key, bubbles: true})); }""")

    note = page.get_by_text("2 presses were not counted: the next image was not there yet.")
    expect(note).to_be_visible(timeout=30_000)
    expect(page.get_by_text("1 done in this session · 2 to go")).to_be_visible(timeout=30_000)
    assert set_labels(images) == [["dandelion"], [], []]
