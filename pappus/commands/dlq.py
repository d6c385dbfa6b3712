"""`pappus dlq ls | show | skip | redrive`: the dead letters, and the way out after too many in a row."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from pappus.commands.options import StateOption, attempt, state_folder
from pappus.commands.screen import console
from pappus.dead_letters import count_rows, describe, printable
from pappus.dead_letters import redrive as redrive_letters
from pappus.errors import Refused
from pappus.stack import Stack
from pappus.stack.status import read_status
from shared.messaging.kafka import ANY_RECORD, KafkaEventLog, open_event_log
from shared.messaging.kafka.dead_letter_topics import StoredDeadLetter, already_redriven, read_dead_letters
from shared.messaging.kafka.dead_letter_topics import skip as skip_letters
from shared.runtime.errors import PappusError
from shared.runtime.kafka_connection import KafkaConnection

app = typer.Typer(
    name="dlq",
    help="Messages that could not be handled: see them, skip them, publish them again.",
    no_args_is_help=True,
)
Topic = Annotated[str | None, typer.Option(help="Only those of this topic, such as image.registered.")]
Group = Annotated[str | None, typer.Option(help="Only those of this group, as pappus dlq ls names it.")]


@app.command()
def ls(
    topic: Topic = None,
    group: Group = None,
    each: Annotated[bool, typer.Option("--each", help="One line for each dead letter, with its id.")] = False,
    state: StateOption = None,
) -> None:
    """Count the dead letters of each topic and group, with the newest and the most frequent reasons."""

    async def work() -> None:
        async with _log(state) as (event_log, _):
            found = _filtered(await read_dead_letters(event_log), topic, group)
            redriven = await already_redriven(event_log, [stored.letter for stored in found if stored.letter])
        if each:
            for stored in found:
                _print(f"{stored.id}  {_one_line(stored)}{'  (redriven)' if stored.id in redriven else ''}")
            return
        if not found:
            console.print("There are no dead letters.")
            return
        table = Table("topic", "group", "count", "redriven", "newest (UTC)", "its id", "reasons")
        for row in count_rows(found, redriven):
            table.add_row(row.topic, row.group, str(row.count), str(row.redriven), row.when, row.newest, row.reasons)
        console.print(table)

    _attempt(work, state)


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="TOPIC/PARTITION/OFFSET: pappus dlq ls --each")],
    state: StateOption = None,
) -> None:
    """Show one dead letter with all that it holds; control characters are written as escapes."""

    async def work() -> None:
        async with _log(state) as (event_log, _):
            [stored] = _named(await read_dead_letters(event_log), [letter_id])
            redriven = await already_redriven(event_log, [stored.letter] if stored.letter else [])
        for line in describe(stored, stored.id in redriven):
            _print(line)

    _attempt(work, state)


@app.command()
def skip(
    group: Annotated[str, typer.Argument(help="The group that stopped, as its error and pappus dlq ls name it.")],
    state: StateOption = None,
) -> None:
    """Let a group go on that stopped after too many dead letters in a row: it counts from zero after its next start."""

    async def work() -> None:
        async with _log(state) as (_, connection):
            places = await skip_letters(connection, group)
        for place, offset in sorted(places.items()):
            _print(f"{printable(place.topic)}[{place.partition}]: what came before offset {offset} is in order")
        console.print("The group counts from zero after its next start; the supervisor starts one that stopped.")

    _attempt(work, state)


@app.command()
def redrive(
    letter_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Which: pappus dlq ls --each. Default: all.")
    ] = None,
    topic: Topic = None,
    group: Group = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    state: StateOption = None,
) -> None:
    """Publish the original messages again, under their keys, to their topics. What was redriven once is left alone."""

    async def work() -> None:
        async with _log(state) as (event_log, connection):
            found = _filtered(await read_dead_letters(event_log), topic, group)
            chosen = _named(found, letter_ids) if letter_ids else found
            outcomes = await redrive_letters(event_log, connection, chosen, dry_run=dry_run)
        for outcome in outcomes:
            _print(f"{printable(outcome.place)}  {outcome.outcome}  ({', '.join(outcome.ids)})")
        published = sum(outcome.published for outcome in outcomes)
        console.print(f"{published} of {len(outcomes)} messages were published again.")

    _attempt(work, state)


@asynccontextmanager
async def _log(state: Path | None) -> AsyncIterator[tuple[KafkaEventLog, KafkaConnection]]:
    """Open the log of the running stack; yield it with the way to it."""
    status = read_status(state_folder(state))
    kafka = next((component for component in status.components if component.name == "kafka"), None)
    if not status.running or kafka is None:
        raise Refused("Kafka does not run here. Start it: pappus up --only kafka")
    connection = Stack(state).running_context().kafka
    async with open_event_log(connection, [ANY_RECORD]) as event_log:
        yield event_log, connection


def _attempt(work: Callable[[], Awaitable[None]], state: Path | None) -> None:
    """Run `work`; what Kafka says is an expected error, too."""

    async def refusing() -> None:
        try:
            await work()
        except PappusError as error:
            raise Refused(str(error)) from error

    attempt(refusing, state)


def _filtered(found: list[StoredDeadLetter], topic: str | None, group: str | None) -> list[StoredDeadLetter]:
    return [
        stored
        for stored in found
        if (topic is None or (stored.letter and stored.letter.topic == topic))
        and (group is None or (stored.letter and stored.letter.handler == group))
    ]


def _named(found: list[StoredDeadLetter], ids: list[str]) -> list[StoredDeadLetter]:
    by_id = {stored.id: stored for stored in found}
    if unknown := [each for each in ids if each not in by_id]:
        raise Refused(f"There is no dead letter {printable(', '.join(unknown))}. See their ids: pappus dlq ls --each")
    return [by_id[each] for each in ids]


def _one_line(stored: StoredDeadLetter) -> str:
    letter = stored.letter
    if letter is None:
        return "not a dead letter"
    what = f"{letter.topic}[{letter.partition}]@{letter.offset}  {letter.handler}"
    return printable(f"{letter.failed_at:%Y-%m-%d %H:%M:%S}  {what}  {letter.error}: {letter.detail}")


def _print(line: str) -> None:
    """Print one line as it is, however long."""
    console.print(line, highlight=False, soft_wrap=True)
