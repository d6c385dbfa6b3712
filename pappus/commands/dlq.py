"""`pappus dlq ls | show | skip | redrive`: the dead letters, and the way out after too many in a row."""

from typing import Annotated

import typer

from pappus.commands.group import CommandGroup
from pappus.commands.options import StateOption, attempt_on_kafka, state_folder
from pappus.terminal.listing import LIMIT, Limit
from pappus.terminal.output import Json, Output

app = typer.Typer(
    name="dlq",
    help="Messages that could not be handled: see them, skip them, publish them again.",
    cls=CommandGroup,
    no_args_is_help=True,
)
Topic = Annotated[str | None, typer.Option(help="Only those of this topic, such as image.registered.")]
Group = Annotated[str | None, typer.Option(help="Only those of this group, as pappus dlq ls names it.")]


@app.command()
def ls(
    topic: Topic = None,
    group: Group = None,
    each: Annotated[bool, typer.Option("--each", help="One line for each dead letter, with its id.")] = False,
    limit: Limit = LIMIT,
    as_json: Json = False,
    state: StateOption = None,
) -> None:
    """Count the dead letters of each topic and group, with the newest and the most frequent reasons."""

    async def work() -> None:
        from pappus.actions import dlq

        look = dlq.list_each if each else dlq.count
        await look(state_folder(state), Output(as_json), dlq.Choice(topic, group), limit)

    attempt_on_kafka(work, state)


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="TOPIC/PARTITION/OFFSET: pappus dlq ls --each")],
    as_json: Json = False,
    state: StateOption = None,
) -> None:
    """Show one dead letter with all that it holds; control characters are written as escapes."""

    async def work() -> None:
        from pappus.actions import dlq

        await dlq.show(state_folder(state), Output(as_json), letter_id)

    attempt_on_kafka(work, state)


@app.command()
def skip(
    group: Annotated[str, typer.Argument(help="The group that stopped, as its error and pappus dlq ls name it.")],
    as_json: Json = False,
    state: StateOption = None,
) -> None:
    """Let a group go on that stopped after too many dead letters in a row: it counts from zero after its next start."""

    async def work() -> None:
        from pappus.actions import dlq

        await dlq.skip(state_folder(state), Output(as_json), group)

    attempt_on_kafka(work, state)


@app.command()
def redrive(
    letter_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Which: pappus dlq ls --each. Default: all.")
    ] = None,
    topic: Topic = None,
    group: Group = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_json: Json = False,
    state: StateOption = None,
) -> None:
    """Publish the original messages again, under their keys, to their topics. What was redriven once is left alone."""

    async def work() -> None:
        from pappus.actions import dlq

        choice = dlq.Choice(topic, group, tuple(letter_ids or ()))
        await dlq.redrive(state_folder(state), Output(as_json), choice, dry_run=dry_run)

    attempt_on_kafka(work, state)
