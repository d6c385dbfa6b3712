"""Images with labels into `plants_data`, until each has an outcome."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from pappus.demo.image_server import serve_files
from pappus.demo.images import ImageSource, choose
from pappus.demo.intake import Intake, ingest_and_wait
from pappus.errors import Refused
from pappus.installation.access import Installation
from pappus.stack import Stack
from pappus.stack.folders import StateFolder
from pappus.stack_client import RunningStack
from pappus.terminal.listing import left_out
from pappus.terminal.output import Output
from pappus.terminal.progress import ProgressLine, progress_line
from shared.clients.labeler import get_labels

SECONDS = 600.0


async def seed(installation: Installation, output: Output, images: str | None, limit: int) -> None:
    """Insert images with their labels and wait for their outcomes; name at most `limit` that were rejected. Raises
    Refused if none was stored."""
    await installation.plants.count_labelled()  # refused at once if no rows can be inserted
    local = isinstance(installation, RunningStack)
    with progress_line(output.progress) as line:
        line.say("looking for images")
        with drawn_folder(installation.state if isinstance(installation, RunningStack) else None) as drawn:
            source = await choose_source(installation, images, drawn)
            output.say(f"Seeding {source.description}.")
            with serve_source(installation, source):
                intake = await _take_in(installation, source, line)
        if local and source.files:  # kept if the seed was interrupted: a row that is refused is refused for good
            line.say("the ingestor restarts without the address of these images")
            await asyncio.to_thread(_stack_of(installation).take_back_hosts)
    output.say(f"{intake.new} new rows; {len(intake.stored)} of {len(source.rows)} images stored.")
    rejected = list(intake.rejected.items())
    for url, why in rejected[:limit]:
        output.say(f"rejected: {url}: {why}")
    output.note(left_out(len(rejected), limit, "rejected images"))
    output.give(
        {
            "images": source.description,
            "rows": len(source.rows),
            "new": intake.new,
            "stored": len(intake.stored),
            "rejected": [{"url": url, "reason": why} for url, why in rejected[:limit]],
            "more": len(rejected) > limit,
        }
    )
    if not intake.usable:
        raise Refused("No image was stored. Correct the causes above, or choose other images: --images FOLDER")


async def _take_in(installation: Installation, source: ImageSource, line: ProgressLine) -> Intake:
    if isinstance(installation, RunningStack) and source.files:
        line.say("the ingestor restarts with the address of these images")
        await asyncio.to_thread(_stack_of(installation).lend_hosts, [urlsplit(installation.images_url).netloc])
    return await ingest_and_wait(installation, source, SECONDS, line.say)


def _stack_of(installation: Installation) -> Stack:
    assert isinstance(installation, RunningStack)
    return Stack(installation.state.root)


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
