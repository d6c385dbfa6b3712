"""`pappus reproduce`: is a model what its record says? Make it again, and compare."""

from typing import Annotated

import typer

from pappus.commands.options import StateOption, attempt
from pappus.terminal.output import Json, Output


def reproduce(
    version: Annotated[str, typer.Argument(metavar="MODEL", help="A version: pappus history")],
    as_json: Json = False,
    state: StateOption = None,
) -> None:
    """Train a model again from its manifest, the stored images and its recorded parameters, and compare all weights.
    Says what differs: manifest, images, parameters, libraries, CPU. Publishes and stores nothing. Exit code 1 if it is
    not the same."""

    async def work() -> None:
        from pappus.actions import lineage
        from pappus.stack.stack import Stack

        await lineage.reproduce(Stack(state), Output(as_json), version)

    attempt(work, state)
