"""How far a burst of corrections is behind once the last of them is made, and what it stores, on a running stack.

    python -m bench.burst_of_corrections --state .pappus --corrections 1000 --seconds 10 [--images FOLDER]

Pictures are drawn, or mixed from two photographs of one label (FOLDER holds <label>/*.jpg), and uploaded without a
label; then people say, evenly over so many seconds, what each shows. To a model of photographs drawings are one motif,
hundreds of times, which is the harder case. The figures: the seconds from the last correction until a promoted model
holds each of them (those that the gate set aside are counted), full trainings meanwhile, and the bytes of the models
and manifests that were written.
"""

import argparse
import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from uuid import UUID

import cv2
import numpy as np

from pappus.demo.drawing import DRAWN_LABELS, draw
from pappus.stack import LocalServers, Stack
from pappus.stack.folders import StateFolder
from pappus.stack_client import RunningStack
from shared.clients.answers import HistoryEntry
from shared.clients.api import AsyncApi
from shared.clients.labeler import correct_label, get_history, list_models, upload_image
from shared.imaging.decoding import decode
from shared.runtime.settings import Settings
from shared.storage.object_store import ObjectStore, open_object_store

Picture = Callable[[int], tuple[str, bytes]]
"""The label and the bytes of the picture with this number."""

AT_ONCE = 8
SIDE = 160
"""Pixels of a mixture."""
FOLLOWED_SECONDS = 180.0
STORED = ("models/", "manifests/")


async def measure(state: Path, corrections: int, seconds: float, picture: Picture) -> float:
    """Run the burst and print the figures. Return by how many seconds the last one was behind."""
    stack = Stack(state)
    servers = LocalServers(stack, stack.status(), stack.credentials())
    root = servers.credentials.s3["root"]
    keys = {"s3_access_key": root.access_key, "s3_secret_key": root.secret_key}
    running = RunningStack.find(StateFolder.at(state))
    async with (
        open_object_store(Settings.model_validate({**servers.settings("ingestor"), **keys})) as store,
        running.labeler_as("labeler") as person,
    ):
        images = await _upload(person, corrections, picture)
        kept, models = await _keys(store), await _versions(person)
        made, ended = await _correct(person, images, seconds)
        entries = await _follow(person, made, ended)
        written = await _keys(store) - kept
        stored = sum([len(await store.get(key)) for key in sorted(written)])
        full = [version for version in await _versions(person) - models if version.startswith("full-")]
    live = [entry for entry in entries if entry.live_at is not None]
    behind = max((entry.live_at.timestamp() - ended for entry in live if entry.live_at), default=0.0)
    waits = [(one.live_at - one.occurred_at).total_seconds() for one in live if one.live_at and one.occurred_at]
    print(f"corrections live: {len(live)} of {len(made)}; set aside: {sum(bool(one.set_aside) for one in entries)}")
    print(f"the last one: {behind:.2f} s after the last was made; median wait {median(waits or [0.0]):.2f} s")
    print(f"full trainings: {len(full)}; objects written: {len(written)} with {stored / 1e6:.1f} MB")
    return behind


def drawings() -> Picture:
    """Return drawings that no run before had."""
    seed = time.time_ns() % 2**31

    def picture(number: int) -> tuple[str, bytes]:
        label = DRAWN_LABELS[number % len(DRAWN_LABELS)]
        return label, draw(label, number, seed)

    return picture


def mixtures(folder: Path) -> Picture:
    """Return mixtures of two photographs with one label, a part of each, the second one mirrored: unlike either, and
    unlike those of any run before."""
    chance = np.random.default_rng(time.time_ns())
    files = {label.name: sorted(label.glob("*.jpg")) for label in sorted(folder.iterdir()) if label.is_dir()}
    labels = [label for label, found in files.items() if found]
    if not labels:
        raise SystemExit(f"There are no <label>/*.jpg in {folder}.")

    def part_of(file: Path) -> np.ndarray:
        pixels = decode(file.read_bytes())
        height, width = (int(chance.uniform(0.6, 0.9) * side) for side in pixels.shape[:2])
        top, left = (
            int(chance.integers(0, pixels.shape[0] - height + 1)),
            int(chance.integers(0, pixels.shape[1] - width + 1)),
        )
        return cv2.resize(pixels[top : top + height, left : left + width], (SIDE, SIDE), interpolation=cv2.INTER_AREA)

    def picture(number: int) -> tuple[str, bytes]:
        label = labels[number % len(labels)]
        one, other = (part_of(files[label][row]).astype(np.float32) for row in chance.choice(len(files[label]), 2))
        share = chance.uniform(0.35, 0.65)
        mixed = np.round(share * one + (1 - share) * other[:, ::-1]).astype(np.uint8)
        return label, cv2.imencode(".jpg", mixed[:, :, ::-1])[1].tobytes()

    return picture


async def _upload(person: AsyncApi, wanted: int, picture: Picture) -> dict[UUID, tuple[str, int]]:
    """Upload pictures that are not there yet; return what each shows, and its revision, by id."""
    run, turns, images = time.time_ns(), asyncio.Semaphore(AT_ONCE), dict[UUID, tuple[str, int]]()

    async def one(number: int) -> None:
        async with turns:
            label, data = picture(number)
            image = await person.send(upload_image(f"{run}-{number}.jpg", data))
        images[image.image_id] = label, 0

    await asyncio.gather(*(one(number) for number in range(wanted)))
    return images


async def _correct(
    person: AsyncApi, images: dict[UUID, tuple[str, int]], seconds: float
) -> tuple[dict[UUID, UUID], float]:
    """Correct each image, evenly over so many seconds. Return the events by image, and when the last was made."""
    made, started, last = dict[UUID, UUID](), time.monotonic(), [0.0]

    async def one(number: int, image_id: UUID, label: str, revision: int) -> None:
        await asyncio.sleep(max(0.0, started + seconds * number / len(images) - time.monotonic()))
        answer = await person.send(correct_label(image_id, label, revision, reason="bench: a burst"))
        made[image_id] = answer.event_id
        last[0] = time.time()

    await asyncio.gather(*(one(number, key, *value) for number, (key, value) in enumerate(images.items())))
    print(f"{len(made)} corrections in {time.monotonic() - started:.1f} s")
    return made, last[0]


async def _follow(person: AsyncApi, made: dict[UUID, UUID], ended: float) -> list[HistoryEntry]:
    """Return what became of each correction, once all are live or set aside, or after a while."""
    waiting, found = dict(made), list[HistoryEntry]()
    while waiting:
        for image_id, event_id in list(waiting.items()):
            history = await person.send(get_history(image_id))
            entry = next((one for one in history if one.event_id == event_id), None)
            given_up = time.time() - ended > FOLLOWED_SECONDS
            if entry is not None and (entry.live_in or entry.set_aside or given_up):
                found.append(entry)
                del waiting[image_id]
            else:
                break  # it is asked again before the others: they come in their order
        await asyncio.sleep(0.05)
    return found


async def _keys(store: ObjectStore) -> set[str]:
    return {key for prefix in STORED for key in await store.keys(prefix)}


async def _versions(person: AsyncApi) -> set[str]:
    return {model.version for model in await person.send(list_models())}


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--state", type=Path, default=Path(".pappus"))
    arguments.add_argument("--corrections", type=int, default=1000)
    arguments.add_argument("--seconds", type=float, default=10.0)
    arguments.add_argument("--images", type=Path, help="folder of <label>/*.jpg to mix; drawn without")
    options = arguments.parse_args()
    pictures = drawings() if options.images is None else mixtures(options.images)
    asyncio.run(measure(options.state, options.corrections, options.seconds, pictures))
