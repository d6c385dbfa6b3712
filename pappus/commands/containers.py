"""`pappus secrets | prepare`: for an installation in containers."""

from pathlib import Path
from typing import Annotated

import typer

from pappus.stack.errors import StackError
from pappus.terminal.output import Json, Output
from pappus.terminal.progress import progress_line
from pappus.terminal.screen import complain
from shared.runtime.errors import PappusError

STEPS_HELP = "database, tables, topics, buckets; all of them without a name."


def secrets(
    folder: Annotated[Path, typer.Argument(help="Where to put them: a folder of its own.")] = Path("secrets"),
    as_json: Json = False,
) -> None:
    """Write the secrets of an installation in containers as files, generated once. Repeating it changes nothing."""
    from pappus.containers.secret_files import write_secrets

    output = Output(as_json)
    try:
        with progress_line(output.progress) as line:
            line.say("writing passwords and keys")
            write_secrets(folder)
    except (StackError, OSError) as error:
        complain(str(error))
        raise typer.Exit(1) from error
    output.say(f"The secrets are in {folder}: keep a copy; without them the data cannot be used.")
    output.give({"folder": folder.expanduser().absolute()})


def prepare(steps: Annotated[list[str] | None, typer.Argument(help=STEPS_HELP)] = None, as_json: Json = False) -> None:
    """Make roles, tables, topics and buckets on the servers that the settings (PAPPUS_*) name. It may be repeated."""
    import asyncio

    from pappus.containers.preparation import Preparation, PreparationSettings

    output = Output(as_json)
    try:
        preparation = Preparation(PreparationSettings(), lambda text: output.progress.print(text, highlight=False))
        done = asyncio.run(preparation.run(tuple(steps or ())))
    except PappusError as error:
        complain(str(error))
        raise typer.Exit(1) from error
    output.give({"steps": done})
