"""Takes the pictures of README and docs again, in a real browser: `make pictures`.

Without --state it starts a stack of its own, on free ports, with drawn plants, and deletes it at the end.
"""

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import httpx2

from infra.documents.pictures.animation import animate, still
from infra.documents.pictures.subject import find_subject
from infra.documents.pictures.visit import (
    PHONE,
    film_correction,
    label_of,
    logged_in,
    photograph_page,
    photograph_review,
)
from pappus.demo.drawing import DRAWN_LABELS, write_set
from pappus.stack import Stack
from pappus.stack.ports import DEFAULT_PORTS, free_ports
from pappus.stack_client import RunningStack
from shared.clients.labeler import find_images

IMAGES = Path(__file__).parents[3] / "docs" / "images"
PER_LABEL = 100
TALL = 1240
"""The height of the page Models down to the learning curve, in pixels."""


OTHERS = {name: f"h1:has-text('{name.title()}')" for name in ("classes", "quarantine", "live", "people", "me")}
"""By their addresses, the pages that have a picture besides those of the story, and what each waits for."""


@contextmanager
def own_stack() -> Iterator[RunningStack]:
    """Run `pappus demo` with drawn plants in a folder of its own; delete all of it at the end."""
    with TemporaryDirectory(prefix="pappus-pictures-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL's own user has to pass when this runs as root
        state, plants = Path(folder) / "state", Path(folder) / "plants"
        write_set(plants, PER_LABEL)
        stack = Stack(state)
        try:
            stack.up(["s3"], ports=free_ports(DEFAULT_PORTS))
            command = [sys.executable, "-m", "pappus.cli", "demo", "--state", str(state), "--images", str(plants)]
            subprocess.run(command, check=True)  # noqa: S603 - our own command
            yield RunningStack.find(stack.state)
        finally:
            stack.reset()


def image_of(running: RunningStack, data: bytes) -> UUID:
    """Return the id of the image with these bytes. The browser's driver runs a loop in this thread, so it needs
    another."""

    async def find() -> UUID:
        async with running.labeler_as("labeler") as person:
            [image] = await person.send(find_images(sha256(data).hexdigest()))
            return image.image_id

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, find()).result()


def take(running: RunningStack, folder: Path) -> None:
    """Write the animation and the screenshots of a running stack into `folder`."""
    with httpx2.Client(base_url=running.predictor) as client:
        subject = find_subject(lambda data: label_of(client, data))
    with logged_in(running) as page:
        shots = film_correction(page, running, subject, str(DRAWN_LABELS.index(subject.truth) + 1))
        review = photograph_review(page, running)
        browse = photograph_page(page, f"{running.ui}/browse", ".pappus-card img")
        models = photograph_page(page, f"{running.ui}/models", "text=Have I labelled enough?", TALL)
        image = photograph_page(page, f"{running.ui}/image?id={image_of(running, subject.data)}", "text=Live in fast-")
    with logged_in(running, size=PHONE) as page:
        phone = photograph_review(page, running)
    with logged_in(running, "operator") as page:
        others = {name: photograph_page(page, f"{running.ui}/{name}", ready) for name, ready in OTHERS.items()}
    folder.mkdir(parents=True, exist_ok=True)
    stills = {"upload": shots[-1].page, "review": review, "browse": browse, "models": models, "image": image}
    stills |= {"review-phone": phone, **others}
    pictures = {"correction.gif": animate(shots)} | {f"{name}.png": still(page) for name, page in stills.items()}
    for name, data in pictures.items():
        (folder / name).write_bytes(data)
        sys.stdout.write(f"wrote {folder / name}: {len(data) / 1000:.0f} kB\n")


def main() -> None:
    """Take the pictures of the stack that --state names, else of one of our own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, help="the state folder of a stack that runs and has told its story")
    parser.add_argument("--out", type=Path, default=IMAGES, help="where the pictures go (docs/images)")
    chosen = parser.parse_args()
    if chosen.state is not None:
        take(RunningStack.find(Stack(chosen.state).state), chosen.out)
        return
    with own_stack() as running:
        take(running, chosen.out)


if __name__ == "__main__":
    main()
