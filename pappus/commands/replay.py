"""`pappus replay`: fold every table again from the log, while the services run, and compare with the tables in use."""

from typing import Annotated

import typer

from pappus.commands.options import StateOption, attempt
from pappus.terminal.output import Json, Output


def replay(
    service: Annotated[
        list[str] | None, typer.Argument(help="ingestor, labeler, predictor, trainer; default: all.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Use the new tables even if they differ.")] = False,
    as_json: Json = False,
    state: StateOption = None,
) -> None:
    """Rebuild every table from the log, compare it with the one in use, and use it from then on. Nothing is fetched,
    trained or published. If a table came out differently and nothing explains it, all stays as it was: exit code 1."""

    async def work() -> None:
        from pappus.actions import replay
        from pappus.stack.stack import Stack

        await replay.replay(Stack(state), Output(as_json), service, force)

    attempt(work, state)
