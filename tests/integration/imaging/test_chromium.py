"""What a browser shows is taken, and looks the same: every file of the corpus, decoded here and by Chromium."""

import base64
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from shared.imaging.decoding import UndecodableImage, decode
from shared.imaging.structure import Pixels
from tests.e2e.ui.stage import ARGUMENTS, CHROMIUM
from tests.integration.imaging import odd_files, other_files, png_files

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"There is no browser at {CHROMIUM}; set CHROMIUM to one."
)

SHOW = """async text => {
  const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([bytes]));
  await image.decode().catch(() => null);
  if (!image.naturalWidth) return null;
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const paper = canvas.getContext('2d');
  paper.fillStyle = 'white';
  paper.fillRect(0, 0, canvas.width, canvas.height);
  paper.drawImage(image, 0, 0);
  const data = paper.getImageData(0, 0, canvas.width, canvas.height).data;
  let pixels = '';
  for (let at = 0; at < data.length; at += 32768) pixels += String.fromCharCode(...data.subarray(at, at + 32768));
  return [canvas.width, canvas.height, btoa(pixels)];
}"""
Show = Callable[[bytes], Pixels | None]

ROUNDING = 1
"""Chromium rounds half-transparent colours and samples of 5 and 6 bits to the other side in places."""
ON_PURPOSE = {
    "gamma-": "gamma, primaries and colour profiles are not applied: a model sees the numbers that were stored",
    "damaged-": "a browser shows what it can; a model must not learn from half a picture",
    "unlike-": "rules for files that no program writes: see the name",
    "apng-without-frames": "the picture itself is there; Chromium shows nothing",
}
REFUSED = ("damaged-",)


@cache
def corpus() -> dict[str, bytes]:
    """The files by name."""
    makers = (
        png_files.png_files,
        other_files.jpeg_files,
        other_files.gif_files,
        other_files.webp_files,
        other_files.bmp_files,
        odd_files.odd_files,
    )
    pairs = [pair for maker in makers for pair in maker()]
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


@pytest.fixture(scope="module")
def show() -> Iterator[Show]:
    """A function that gives the pixels of a file as a page shows them on white paper, None if it shows nothing."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page()

        def shown(data: bytes) -> Pixels | None:
            answer = page.evaluate(SHOW, base64.b64encode(data).decode())
            if answer is None:
                return None
            width, height, pixels = answer
            return np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(height, width, 4)[:, :, :3]

        yield shown
        browser.close()


def decoded(data: bytes) -> Pixels | None:
    """The pixels, None if the file is refused."""
    try:
        return decode(data)
    except UndecodableImage:
        return None


def differ(ours: Pixels | None, theirs: Pixels | None) -> bool:
    """Whether two decoders disagree, apart from rounding."""
    if ours is None or theirs is None:
        return (ours is None) != (theirs is None)
    return ours.shape != theirs.shape or int(np.abs(ours.astype(int) - theirs).max()) > ROUNDING


def on_purpose(name: str) -> bool:
    return name.startswith(tuple(ON_PURPOSE))


def test_the_corpus_is_large() -> None:
    assert len([name for name in corpus() if not on_purpose(name)]) >= 250


def test_each_file_looks_as_in_chromium_or_differs_on_purpose(show: Show) -> None:
    differing = {name for name, data in corpus().items() if differ(decoded(data), show(data))}
    assert differing == {name for name in corpus() if on_purpose(name)}


def test_what_is_refused_on_purpose_is_called_damaged() -> None:
    refused = {name: data for name, data in corpus().items() if name.startswith(REFUSED)}
    for name, data in refused.items():
        with pytest.raises(UndecodableImage, match="cut off or damaged") as refusal:
            decode(data)
        assert refusal.value.reason == "truncated", name
