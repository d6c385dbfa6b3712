"""What 500 phone photos that are dropped at once cost the process of the pages.

    python -m bench.phone_photos --photos 500 [--state .pappus]

Makes the photos (12 MP, about 3.6 MB each, every EXIF orientation), lets a browser add them all on the page Add, and
prints the memory of the pages with one open page, at most, and as a ratio to the bytes that went through them; and how
many pictures stand upright. The labeler is a fake that drops what it gets: only the pages are measured. Needs Chromium
(CHROMIUM, /usr/bin/chromium without it).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from json import dumps
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from infra.documents.pictures.visit import ARGUMENTS, CHROMIUM, logged_in
from pappus.demo.drawing import DRAWN_LABELS, draw
from pappus.stack.folders import StateFolder
from pappus.stack.ports import free_ports
from pappus.stack.status import read_status
from pappus.stack_client import RunningStack
from services.labeler.ui.sessions import cookie
from shared.clients.answers import Session
from shared.imaging.rendition import render

WIDTH, HEIGHT, QUALITY = 4000, 3000, 88
EXIF_ORIENTATION = 0x0112
AS_STORED = {  # how a camera stores an upright picture that it marks with this orientation
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
MEGABYTE = 1_000_000
EVERY_SECONDS = 0.1
WAIT_MS = 900_000
SESSION = Session.model_validate(
    {"token": "bench", "name": "anna", "role": "labeler", "expires_at": "2999-01-01T00:00:00Z"}
)


@cache
def grain() -> NDArray[np.float32]:
    """Return the grain of the camera [HEIGHT, WIDTH, 1], which makes a file as large as a photo is."""
    return np.random.default_rng(7).normal(0.0, 9.0, (HEIGHT, WIDTH, 1)).astype(np.float32)


def with_grain(scene: NDArray[np.float32]) -> Image.Image:
    """Return the picture of a scene, 0 to 255 [HEIGHT, WIDTH, 3] or less by broadcasting."""
    return Image.fromarray(np.clip(scene + grain(), 0, 255).astype(np.uint8))


@cache
def photo(orientation: int) -> bytes:
    """Return a landscape photo of the sky that the camera stored in this EXIF orientation, as a JPEG."""
    sky = np.linspace(230, 60, HEIGHT)[:, None, None] * np.array([0.8, 0.9, 1.0])
    return as_stored(with_grain(sky.astype(np.float32)), orientation)


def plant_photo(number: int, orientation: int, seed: int) -> bytes:
    """Return a photo of a plant that no other number shows."""
    with Image.open(BytesIO(draw(DRAWN_LABELS[number % 2], number, seed))) as drawn:
        scene = drawn.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    return as_stored(with_grain(np.asarray(scene, dtype=np.float32)), orientation)


def as_stored(picture: Image.Image, orientation: int) -> bytes:
    """Return an upright picture as a camera stores it that marks it with this orientation, as a JPEG."""
    turned = AS_STORED[orientation]
    exif, held = Image.Exif(), BytesIO()
    exif[EXIF_ORIENTATION] = orientation
    (picture if turned is None else picture.transpose(turned)).save(held, "JPEG", quality=QUALITY, exif=exif)
    return held.getvalue()


def write_photos(folder: Path, number: int, seed: int | None = None) -> list[Path]:
    """Write so many photos, all with different bytes: each has a number in a comment (JPEG segment COM). With a seed
    all have different pixels, too."""
    paths = []
    for index in range(number):
        orientation, note = 1 + index % len(AS_STORED), f"photo {index}".encode()
        data = photo(orientation) if seed is None else plant_photo(index, orientation, seed)
        path = folder / f"IMG_{index:04d}_{orientation}.jpg"
        path.write_bytes(data[:2] + b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note + data[2:])
        paths.append(path)
    return paths


@cache
def rendition(orientation: int, width: int) -> bytes:
    """Return what the labeler shows of a photo."""
    return render(photo(orientation), width)


class FakeLabeler(BaseHTTPRequestHandler):
    """Takes uploads without keeping them, and answers as if each were stored and scored."""

    protocol_version = "HTTP/1.1"
    orientations: dict[UUID, int] = {}  # noqa: RUF012 - shared by all requests on purpose

    def do_GET(self) -> None:
        """Answer what the pages ask."""
        path, _, query = self.path.partition("?")
        parts = path.strip("/").split("/")
        if parts == ["labels"]:
            self._answer({"labels": ["dandelion", "grass"], "model_name": "plants"})
        elif parts[0] == "conflicts":
            self._answer([])
        elif parts[0] != "images":
            self._answer({"error": "model_unknown", "detail": "There is no model."}, 404)
        elif parts[-1] == "rendition":
            self._send(rendition(self.orientations[UUID(parts[1])], int(query.partition("=")[2])), "image/jpeg")
        elif parts[-1] == "story":
            self._answer({"near_duplicates": []})
        else:
            said = {"label": "grass", "probabilities": {"dandelion": 0.3, "grass": 0.7}, "model_version": "full-1"}
            said["prediction_id"] = str(uuid4())
            image = {"image_id": parts[1], "state": "stored", "label": None, "revision": 0, "prediction": said}
            self._answer(image)

    def do_POST(self) -> None:
        """Take an upload."""
        left, head = int(self.headers["Content-Length"]), b""
        while left:
            part = self.rfile.read(min(left, 65_536))
            head, left = head or part[:500], left - len(part)
        image_id = uuid4()
        self.orientations[image_id] = int(head.split(b'filename="', 1)[1].split(b".jpg", 1)[0].rsplit(b"_", 1)[1])
        body = {"image_id": str(image_id), "state": "stored", "sha256": "", "label": None, "revision": 0}
        self._answer(body | {"duplicate_of": None}, 201)

    def _answer(self, body: object, status: int = 200) -> None:
        self._send(dumps(body).encode(), "application/json", status)

    def _send(self, data: bytes, media_type: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name the server uses
        """Say nothing."""


@contextmanager
def pages() -> Iterator[tuple[str, int]]:
    """Serve the pages, and the fake labeler behind them; yield their address and their process id."""
    labeler = ThreadingHTTPServer(("127.0.0.1", 0), FakeLabeler)
    threading.Thread(target=labeler.serve_forever, daemon=True).start()
    port = free_ports(("ui",))["ui"]
    behind = f"http://127.0.0.1:{labeler.server_address[1]}"
    settings = {"PAPPUS_PORT": str(port), "PAPPUS_LABELER_URL": behind, "PAPPUS_PREDICTOR_URL": behind}
    process = subprocess.Popen(
        [sys.executable, "-m", "services.labeler.ui"], env=os.environ | settings, stdout=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/_stcore/health")
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(timeout=20)
        labeler.shutdown()


def _wait_for(address: str) -> None:
    for _ in range(1200):
        try:
            if httpx2.get(address).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"{address} does not answer.")


class Memory(threading.Thread):
    """Watches the resident memory of a process."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._status = Path(f"/proc/{pid}/status")
        self.highest_bytes = 0
        self.start()

    def now(self) -> int:
        """Return the resident memory in bytes."""
        [line] = [line for line in self._status.read_text().splitlines() if line.startswith("VmRSS:")]
        return 1024 * int(line.split()[1])

    def run(self) -> None:
        """Look until the process ends."""
        while self._status.exists():
            try:
                self.highest_bytes = max(self.highest_bytes, self.now())
            except (OSError, ValueError):
                return
            time.sleep(EVERY_SECONDS)


@contextmanager
def opened() -> Iterator[tuple[Page, int]]:
    """Open the page Add of pages with a fake labeler behind them; yield it with their process id."""
    with pages() as (address, pid), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page()
        page.context.add_cookies([{"name": cookie.COOKIE, "value": cookie.encode(SESSION), "url": address}])
        page.goto(address)
        yield page, pid
        browser.close()


@contextmanager
def opened_on(state: Path) -> Iterator[tuple[Page, int]]:
    """Open the page Add of a stack that runs; yield it with the process id of the pages."""
    folder = StateFolder.at(state)
    process = read_status(folder).component("labeler-ui").process
    if process is None:
        raise SystemExit("The pages do not run: pappus status")
    with logged_in(RunningStack.find(folder)) as page:
        yield page, process.pid


def add_all(page: Page, paths: list[Path]) -> tuple[int, int]:
    """Add the photos and wait for all answers; return how many pictures were shown, and how many of them upright."""
    with page.expect_file_chooser() as chooser:
        page.locator("[data-testid=stFileUploader] button").first.click()
    chooser.value.set_files(paths)
    page.get_by_text(f"{len(paths)} of {len(paths)} answered").wait_for()
    shown = upright = 0
    for picture in page.locator(".picture img").all()[:: max(1, len(paths) // 40)]:
        picture.scroll_into_view_if_needed()
        picture.evaluate("image => image.decode()")
        shown += 1
        upright += picture.evaluate("image => image.naturalWidth > image.naturalHeight")
    return shown, upright


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--state", type=Path, help="the state folder of a stack that runs and has a model")
    chosen = parser.parse_args()
    number = chosen.photos
    with tempfile.TemporaryDirectory() as folder:
        paths = write_photos(Path(folder), number, None if chosen.state is None else int(time.time()))
        sent = sum(path.stat().st_size for path in paths)
        with opened() if chosen.state is None else opened_on(chosen.state) as (page, pid):
            page.set_default_timeout(WAIT_MS)
            page.get_by_role("button", name="Choose a folder").wait_for()
            memory = Memory(pid)
            before, began = memory.now(), time.monotonic()
            shown, upright = add_all(page, paths)
            took = time.monotonic() - began
    rise = memory.highest_bytes - before
    each = sent / number / MEGABYTE
    print(f"{number} photos, {sent / MEGABYTE:,.0f} MB, {each:.1f} MB each, answered in {took:.0f} s")
    highest = memory.highest_bytes / MEGABYTE
    print(f"memory of the pages: {before / MEGABYTE:.0f} MB with one open page, {highest:.0f} MB at most")
    print(f"ratio of the rise to what went through: {rise / sent:.3f}")
    print(f"upright: {upright} of {shown} pictures looked at")


if __name__ == "__main__":
    main()
