"""`pappus secrets | prepare`: for an installation in containers."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from pappus.commands.screen import complain, console
from pappus.containers.preparation import Preparation, PreparationSettings
from pappus.containers.secret_files import write_secrets
from pappus.stack.errors import StackError
from shared.runtime.errors import PappusError

STEPS_HELP = "database, tables, topics, buckets; all of them without a name."


def secrets(
    folder: Annotated[Path, typer.Argument(help="Where to put them: a folder of its own.")] = Path("secrets"),
) -> None:
    """Write the secrets of an installation in containers as files, generated once. Repeating it changes nothing."""
    try:
        write_secrets(folder)
    except (StackError, OSError) as error:
        complain(str(error))
        raise typer.Exit(1) from error
    console.print(f"The secrets are in {folder}: keep a copy; without them the data cannot be used.", highlight=False)


def prepare(steps: Annotated[list[str] | None, typer.Argument(help=STEPS_HELP)] = None) -> None:
    """Make roles, tables, topics and buckets on the servers that the settings (PAPPUS_*) name. It may be repeated."""
    try:
        preparation = Preparation(PreparationSettings(), lambda text: console.print(text, highlight=False))
        asyncio.run(preparation.run(tuple(steps or ())))
    except PappusError as error:
        complain(str(error))
        raise typer.Exit(1) from error
