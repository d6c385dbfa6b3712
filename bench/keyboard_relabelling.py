"""How fast does a person relabel in Review by keyboard alone, and is every label live?

    python -m bench.keyboard_relabelling --state .pappus --images 60

On a running stack. Uploads so many drawn pictures with the wrong label. A scripted person then works through Review in
Chromium: looks at each picture for as long as --look says, and presses the key of what it shows; other images are left
for later. Prints the images a minute; the milliseconds from a key to the next picture on the screen, and their ratio to
one plain request through the API; how many of the labels are live, and how long after their key. Then the last ten are
undone, and it is looked whether their labels are as before. Needs Chromium (CHROMIUM, /usr/bin/chromium without it).
"""

import argparse
import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import numpy as np
from playwright.sync_api import Page

from infra.documents.pictures.visit import logged_in
from pappus.demo.drawing import DRAWN_LABELS, draw
from pappus.stack.folders import StateFolder
from pappus.stack_client import RunningStack
from shared.clients.answers import HistoryEntry, Uploaded
from shared.clients.api import AsyncApi
from shared.clients.labeler import get_history, get_image, get_labels, upload_image
from shared.testing import eventually

T = TypeVar("T")
UNDONE = 10
LIVE_SECONDS = 120.0
ANSWERED_SECONDS = 180.0
END_SECONDS = 20.0
MEASURE = """() => {
  const roots = [...document.querySelectorAll("*")].map((one) => one.shadowRoot);
  const root = roots.find((one) => one?.querySelector("#review"));
  const shown = () => root.querySelector(".stage img")?.src;
  window.times = [];
  window.addEventListener("keydown", (event) => {
    const before = shown();
    const look = () => {
      if (shown() === before || !shown()) return requestAnimationFrame(look);
      requestAnimationFrame(() => window.times.push(performance.now() - event.timeStamp));
    };
    requestAnimationFrame(look);
  }, true);
}"""
"""Measures the milliseconds from each key to the frame after that in which another picture is drawn."""


async def upload(person: AsyncApi, number: int, seed: int) -> dict[UUID, str]:
    """Upload so many drawn pictures with the wrong label, and wait until a model has answered about all of them. Return
    what each shows; one that was known already is left out."""
    truths: dict[UUID, str] = {}
    for at in range(number):
        truth, wrong = DRAWN_LABELS[at % 2], DRAWN_LABELS[1 - at % 2]
        sent = await person.send(upload_image(f"drawn-{at}.jpg", draw(truth, at, seed), label=wrong))
        if isinstance(sent, Uploaded) and sent.duplicate_of is None:
            truths[sent.image_id] = truth

    async def answered() -> bool:
        return all([(await person.send(get_image(image_id))).prediction is not None for image_id in truths])

    await eventually(answered, ANSWERED_SECONDS)
    return truths


def relabel(
    page: Page, truths: Mapping[UUID, str], labels: Sequence[str], look_seconds: float
) -> tuple[dict[UUID, datetime], float]:
    """Work through Review until all these images are labelled, or nothing else comes. Return when the key of each was
    pressed, and how many seconds it took."""
    shown = page.locator("#review .stage img")
    shown.wait_for()
    page.evaluate(MEASURE)
    pressed: dict[UUID, datetime] = {}
    began = time.monotonic()
    while len(pressed) < len(truths):
        image = page.locator("#review").get_attribute("data-image") or ""
        if not image:
            break
        shown.wait_for()
        page.wait_for_timeout(look_seconds * 1000)
        truth = truths.get(UUID(image))
        if truth is not None:
            pressed[UUID(image)] = datetime.now(UTC)
        page.keyboard.press("s" if truth is None else str(labels.index(truth) + 1))
        _wait(page, lambda before=image: page.locator("#review").get_attribute("data-image") != before)  # type: ignore[misc]
    return pressed, time.monotonic() - began


def _wait(page: Page, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + END_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"The page does not go on: {page.locator('#review').inner_text()}")
        page.wait_for_timeout(5)


async def wait_until_live(person: AsyncApi, pressed: Mapping[UUID, datetime]) -> tuple[list[float], list[str]]:
    """Return the seconds from the key of each label until it was live, and what was said about those that are not."""

    async def last(image_id: UUID) -> HistoryEntry:
        return max(await person.send(get_history(image_id)), key=lambda entry: entry.revision)

    async def decided() -> bool:
        entries = [await last(image_id) for image_id in pressed]
        return all(entry.revision and (entry.live_in or entry.set_aside) for entry in entries)

    with suppress(AssertionError):  # what is not live is counted below
        await eventually(decided, LIVE_SECONDS)
    waits, others = [], []
    for image_id, moment in pressed.items():
        entry = await last(image_id)
        if entry.live_at is not None and entry.revision:
            waits.append((entry.live_at - moment).total_seconds())
        else:
            others.append(entry.set_aside or f"{image_id}: {entry.state}, revision {entry.revision}")
    return waits, others


async def count_as_before(person: AsyncApi, images: Sequence[UUID], truths: Mapping[UUID, str]) -> int:
    """Return how many of these images have the wrong label of their upload again, and wait in the review."""

    async def restored() -> int:
        found = [await person.send(get_image(image_id)) for image_id in images]
        return sum(one.label != truths[one.image_id] and one.trust == "claimed" for one in found)

    async def all_restored() -> bool:
        return await restored() == len(images)

    with suppress(AssertionError):
        await eventually(all_restored, LIVE_SECONDS)
    return await restored()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, default=Path(".pappus"))
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--look", type=float, default=0.4, help="seconds that the person looks at each picture")
    chosen = parser.parse_args()
    running = RunningStack.find(StateFolder.at(chosen.state))

    async def asked(work: Callable[[AsyncApi], Coroutine[Any, Any, T]]) -> T:
        async with running.labeler_as("labeler") as person:
            return await work(person)

    async def labels_of(person: AsyncApi) -> tuple[tuple[str, ...], float]:
        began = time.monotonic()
        found = [await person.send(get_labels()) for _ in range(20)]
        return tuple(found[0].labels), (time.monotonic() - began) / 20

    truths = asyncio.run(asked(lambda person: upload(person, chosen.images, int(time.time()))))
    labels, plain_seconds = asyncio.run(asked(labels_of))
    print(f"{len(truths)} of {chosen.images} pictures stored and answered; each is looked at for {chosen.look:g} s")
    with logged_in(running) as page, ThreadPoolExecutor(1) as threads:

        def beside(work: Callable[[AsyncApi], Coroutine[Any, Any, T]]) -> T:
            """Run a coroutine: the browser's driver has a loop in this thread."""
            return threads.submit(lambda: asyncio.run(asked(work))).result()

        page.goto(f"{running.ui}/review")
        pressed, seconds = relabel(page, truths, labels, chosen.look)
        times = page.evaluate("window.times")
        waits, others = beside(lambda person: wait_until_live(person, pressed))
        last = list(pressed)[-UNDONE:]
        for _ in last:
            page.keyboard.press("u")
            page.wait_for_timeout(50)
        restored = beside(lambda person: count_as_before(person, last, truths))
    print(f"{len(pressed)} images in {seconds:.0f} s: {60 * len(pressed) / seconds:.0f} images a minute")
    p50, p95 = np.quantile(times, [0.5, 0.95])
    print(f"key to the next picture: p50 {p50:.0f} ms, p95 {p95:.0f} ms")
    ratio = p50 / 1000 / plain_seconds
    print(f"ratio of p50 to one plain request for the labels ({plain_seconds * 1000:.1f} ms): {ratio:.1f}")
    print(f"live: {len(waits)} of {len(pressed)}; longest wait from the key {max(waits, default=float('nan')):.2f} s")
    print("\n".join(f"not live: {each}" for each in others) or "none was left out")
    print(f"undone in a row: {len(last)}; labels as before: {restored}")


if __name__ == "__main__":
    main()
