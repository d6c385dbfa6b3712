"""`pappus seed`: put images into `plants_data` and wait until each has an outcome."""

import asyncio
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from pappus.commands.options import StateOption, attempt, state_folder
from pappus.commands.screen import console
from pappus.demo.image_server import serve_files
from pappus.demo.images import ImageSource, choose
from pappus.demo.intake import ingest_and_wait
from pappus.errors import Refused
from pappus.stack import Stack
from pappus.stack.folders import StateFolder
from pappus.stack_client import RunningStack
from shared.clients.labeler import get_labels

SECONDS = 600.0
ImagesOption = Annotated[
    str | None,
    typer.Option(
        "--images",
        help="A folder with <label>/*.jpg, or a URL template with {label} and {number}. Without it: public dandelion "
        "and grass photographs if they can be reached, else drawn ones.",
    ),
]


async def choose_source(stack: RunningStack, state: StateFolder, images: str | None) -> ImageSource:
    """Return the images of --images, with the labels of the stack."""
    async with stack.labeler_as("labeler") as person:
        labels = (await person.send(get_labels())).labels
    return await choose(images, labels, stack.seed_url, state.root / "drawn")


def seed(images: ImagesOption = None, state: StateOption = None) -> None:
    """Insert images with their labels into plants_data and wait until each has an outcome. Repeating adds nothing."""
    folder: Path | None = state

    async def work() -> None:
        where = state_folder(folder)
        stack = RunningStack.find(where)
        source = await choose_source(stack, where, images)
        console.print(f"Seeding {source.description}.", highlight=False)
        host = urlsplit(stack.images_url)
        with serve_files(source.files, host.port or 0), console.status("") as line:
            if source.files:
                await asyncio.to_thread(Stack(folder).lend_hosts, [host.netloc])
            intake = await ingest_and_wait(stack.plants_dsn, source, SECONDS, line.update)
        if source.files:  # kept if the seed was interrupted: a row that is refused is refused for good
            await asyncio.to_thread(Stack(folder).take_back_hosts)
        console.print(
            f"{intake.new} new rows; {len(intake.stored)} of {len(source.rows)} images stored.", highlight=False
        )
        for url, why in list(intake.rejected.items())[:10]:
            console.print(f"rejected: {url}: {why}", highlight=False, soft_wrap=True)
        if not intake.stored:
            raise Refused("No image was stored. Correct the causes above, or choose other images: --images FOLDER")

    attempt(work, state)
