"""`pappus seed`: put images into `plants_data` and wait until each has an outcome."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pappus.commands.options import StateOption, attempt, state_folder
from pappus.demo.image_server import serve_folder
from pappus.demo.images import ImageSource, choose
from pappus.plants import insert, wait_for_outcomes
from pappus.running import RunningStack
from pappus.stack.folders import StateFolder

console = Console()
ImagesOption = Annotated[
    str | None,
    typer.Option(
        "--images",
        help="A folder with <label>/*.jpg, or a URL template with {label} and {number}. Without it: public dandelion "
        "and grass photographs if they can be reached, else drawn ones.",
    ),
]


async def choose_source(stack: RunningStack, state: StateFolder, images: str | None) -> ImageSource:
    """The images of --images, with the labels the stack knows."""
    async with stack.labeler_as("labeler") as person:
        labels = await person.labels()
    return await choose(images, labels, stack.images_url, state.root / "drawn")


def seed(images: ImagesOption = None, state: StateOption = None) -> None:
    """Insert images with their labels into plants_data and wait until each has an outcome. Repeating adds nothing."""
    folder: Path | None = state

    async def work() -> None:
        where = state_folder(folder)
        stack = RunningStack.find(where)
        source = await choose_source(stack, where, images)
        console.print(f"Seeding {source.description}.", highlight=False)
        with serve_folder(source.folder, int(stack.images_url.rsplit(":", 1)[1])):
            new = await insert(stack.plants_dsn, source.rows)
            with console.status("") as line:

                def progress(states: Counter[str]) -> None:
                    line.update(f"{states['stored']} of {len(source.rows)} stored")

                rejected = await wait_for_outcomes(stack.plants_dsn, source.rows, 600, progress)
        console.print(
            f"{new} new rows; {len(source.rows) - len(rejected)} of {len(source.rows)} images stored.", highlight=False
        )
        for url, why in list(rejected.items())[:10]:
            console.print(f"rejected: {url}: {why}", highlight=False, soft_wrap=True)

    attempt(work)
