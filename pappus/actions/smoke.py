"""The smoke test as a command: its steps as lines, its outcome as the exit code."""

import time
from pathlib import Path

from pappus.demo.report import Report
from pappus.demo.smoke import Picture, SmokeTest
from pappus.demo.view import View
from pappus.errors import read_image
from pappus.installation.access import Installation
from pappus.terminal.output import Output


async def smoke(installation: Installation, output: Output, image: Path | None) -> None:
    """Run the smoke test. Raises Refused or ApiError if a step fails; its document says so, too."""
    picture = Picture(image.name, read_image(image), drawn=False) if image is not None else None
    report, start, works = Report(), time.monotonic(), False
    try:
        await SmokeTest(installation, View(output.progress, report), picture).run()
        works = True
    finally:
        output.give({"works": works, "stages": report.as_json()["stages"]})
    output.say(f"The installation works: {time.monotonic() - start:.1f} s.")
