"""`pappus demo`: the whole loop, unattended."""

from pathlib import Path
from typing import Annotated

import typer

from pappus.commands.chosen import Chosen, about_installation
from pappus.commands.options import announce_downloads, in_one_line, refusals, starting
from pappus.commands.seed import ImagesOption, ServeAsOption, ServeOnOption
from pappus.errors import Refused
from pappus.terminal.output import Json, Output


@about_installation
def demo(
    chosen: Chosen,
    images: ImagesOption = None,
    report_path: Annotated[Path | None, typer.Option("--report", help="Write the table as JSON to this file.")] = None,
    exit_after: Annotated[bool, typer.Option("--exit", help="Stop the local stack at the end.")] = False,
    serve_on: ServeOnOption = None,
    serve_as: ServeAsOption = None,
    as_json: Json = False,
) -> None:
    """Run the whole loop unattended: images, a model, predictions, corrections, promotion, hot reload, a rollback."""
    with in_one_line():
        from pappus.actions import demo

        run = demo.prepare_run(Output(as_json), images, report_path)
        installation = chosen.also(serve_on=serve_on, serve_as=serve_as).elsewhere()
        if installation is not None and exit_after:
            raise Refused("--exit stops the local stack, and another installation is named: leave it out.")
        if installation is not None:
            demo.tell_elsewhere(installation, run)
            return
    with refusals(chosen.state):
        from pappus.stack.stack import Stack

        stack = Stack(chosen.state)
        announce_downloads(stack, run.output)
        demo.tell_locally(stack, run, starting, exit_after)
