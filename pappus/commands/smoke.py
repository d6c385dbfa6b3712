"""`pappus smoke`: does a whole installation work?"""

import time
from pathlib import Path
from typing import Annotated

import typer

from pappus.commands.chosen import Chosen, about_installation
from pappus.commands.screen import console
from pappus.demo.report import Report
from pappus.demo.smoke import Picture, SmokeTest
from pappus.demo.view import View
from pappus.errors import read_image
from pappus.installation.access import Installation


@about_installation
def smoke(
    chosen: Chosen,
    image: Annotated[Path | None, typer.Option(help="The image to send; without it, one is drawn.")] = None,
) -> None:
    """Send one image through the installation: upload, predict, correct, the other answer, rollback, and all as before.
    Takes seconds; exit code 0 if every step worked, 1 if not."""

    async def work(installation: Installation) -> None:
        picture = Picture(image.name, read_image(image), drawn=False) if image is not None else None
        start = time.monotonic()
        await SmokeTest(installation, View(console, Report()), picture).run()
        console.print(f"The installation works: {time.monotonic() - start:.1f} s.", highlight=False)

    chosen.attempt(work)
