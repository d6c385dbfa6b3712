"""`pappus dataset diff | checkout`: what models have learned from."""

from pathlib import Path
from typing import Annotated

import typer

from pappus.commands.group import CommandGroup
from pappus.commands.options import StateOption, attempt
from pappus.terminal.listing import LIMIT, Limit
from pappus.terminal.output import Json, Output

app = typer.Typer(
    name="dataset",
    help="What a model has learned from: how two of them differ, and the images as files.",
    cls=CommandGroup,
    no_args_is_help=True,
)
VERSION = "A version: pappus history"


@app.command()
def diff(
    first: Annotated[str, typer.Argument(metavar="MODEL_A", help=VERSION)],
    second: Annotated[str, typer.Argument(metavar="MODEL_B", help="Another one.")],
    limit: Limit = LIMIT,
    as_json: Json = False,
    state: StateOption = None,
) -> None:
    """Show which images the second model has learned from that the first has not, and the other way round, and which
    have another label or are on another side."""

    async def work() -> None:
        from pappus.actions import lineage
        from pappus.stack.stack import Stack

        await lineage.show_difference(Stack(state), Output(as_json), first, second, limit)

    attempt(work, state)


@app.command()
def checkout(
    version: Annotated[str, typer.Argument(metavar="MODEL", help=VERSION)],
    folder: Annotated[
        Path, typer.Argument(help="A new or an empty folder, or one of a checkout that was interrupted.")
    ],
    as_json: Json = False,
    state: StateOption = None,
) -> None:
    """Write the images that a model has learned from as FOLDER/<side>/<label>/<image id>, with a manifest.csv."""

    async def work() -> None:
        from pappus.actions import lineage
        from pappus.stack.stack import Stack

        await lineage.check_out(Stack(state), Output(as_json), version, folder)

    attempt(work, state)
