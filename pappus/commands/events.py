"""`pappus events`: what is on a topic, one line for each event."""

from typing import Annotated

import typer

from pappus.commands.options import StateOption, attempt_on_kafka, state_folder
from pappus.terminal.listing import LIMIT, Limit
from pappus.terminal.output import Json, Output


def events(
    topic: Annotated[str, typer.Argument(help="Such as label.corrected; docs/events.md lists them.")],
    about: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only those with this text: an id, a version, a name.")
    ] = None,
    limit: Limit = LIMIT,
    as_json: Json = False,
    state: StateOption = None,
) -> None:
    """Print the events of a topic, the oldest first, one line of JSON each. Nothing is consumed."""

    async def work() -> None:
        from pappus.actions import events

        await events.show(state_folder(state), Output(as_json), topic, about, limit)

    attempt_on_kafka(work, state)
