"""`pappus seed`: put images into `plants_data` and wait until each has an outcome."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated
from urllib.parse import urlsplit

import typer

from pappus.commands.chosen import ELSEWHERE, Chosen, about_installation
from pappus.commands.screen import console
from pappus.demo.image_server import serve_files
from pappus.demo.images import ImageSource, choose
from pappus.demo.intake import ingest_and_wait
from pappus.errors import Refused
from pappus.installation.access import Installation
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
ServeOnOption = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Where to serve images of a folder.", rich_help_panel=ELSEWHERE),
]
ServeAsOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where the ingestor reaches them; the host is in its PAPPUS_ALLOWED_HOSTS.",
        rich_help_panel=ELSEWHERE,
    ),
]


@about_installation
def seed(
    chosen: Chosen, images: ImagesOption = None, serve_on: ServeOnOption = None, serve_as: ServeAsOption = None
) -> None:
    """Insert images with their labels into plants_data and wait until each has an outcome. Repeating adds nothing."""

    async def work(installation: Installation) -> None:
        await installation.plants.count_labelled()  # refused at once if no rows can be inserted
        stack, local = Stack(chosen.state), isinstance(installation, RunningStack)
        with drawn_folder(stack.state if local else None) as drawn:
            source = await choose_source(installation, images, drawn)
            console.print(f"Seeding {source.description}.", highlight=False)
            with serve_source(installation, source), console.status("") as line:
                if isinstance(installation, RunningStack) and source.files:
                    await asyncio.to_thread(stack.lend_hosts, [urlsplit(installation.images_url).netloc])
                intake = await ingest_and_wait(installation, source, SECONDS, line.update)
        if local and source.files:  # kept if the seed was interrupted: a row that is refused is refused for good
            await asyncio.to_thread(stack.take_back_hosts)
        console.print(
            f"{intake.new} new rows; {len(intake.stored)} of {len(source.rows)} images stored.", highlight=False
        )
        for url, why in list(intake.rejected.items())[:10]:
            console.print(f"rejected: {url}: {why}", highlight=False, soft_wrap=True)
        if not intake.usable:
            raise Refused("No image was stored. Correct the causes above, or choose other images: --images FOLDER")

    chosen.also(serve_on=serve_on, serve_as=serve_as).attempt(work)


async def choose_source(installation: Installation, images: str | None, drawn: Path) -> ImageSource:
    """Return the images of --images, with the labels of the installation. Raises Refused with what to do, also for
    files that the ingestor could not fetch."""
    async with installation.labeler_as("labeler") as person:
        labels = (await person.send(get_labels())).labels
    serving = installation.serving
    source = await choose(images, labels, serving.url if serving else "http://127.0.0.1", drawn)
    if source.files and serving is None:
        raise Refused(
            f"The ingestor has to fetch {source.description} from here: say how it reaches this machine, --serve-as"
            " http://HOST:PORT with a host of its PAPPUS_ALLOWED_HOSTS, or name images on the web, --images 'https://...'."
        )
    return source


def serve_source(installation: Installation, source: ImageSource) -> AbstractContextManager[None]:
    """Serve the files of these images, if they are files, while the context lasts."""
    serving = installation.serving
    return nullcontext() if serving is None else serve_files(source.files, serving.port, serving.host)


@contextmanager
def drawn_folder(state: StateFolder | None) -> Iterator[Path]:
    """Give the folder for drawn images: that of the local stack stays, another is gone afterwards. The same pictures
    are drawn again."""
    if state is not None:
        yield state.root / "drawn"
        return
    with TemporaryDirectory(prefix="pappus-drawn-") as folder:
        yield Path(folder)
