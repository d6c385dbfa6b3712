"""The dead letters of the running stack: counted, shown, skipped, redriven."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from pappus.actions.event_log import running_event_log
from pappus.errors import Refused
from pappus.stack.folders import StateFolder
from pappus.terminal.listing import Column, Listing, left_out
from pappus.terminal.output import Output
from pappus.terminal.progress import progress_line
from shared.messaging.kafka.dead_letter_topics import (
    StoredDeadLetter,
    already_redriven,
    open_redrive,
    read_dead_letters,
)
from shared.messaging.kafka.dead_letter_topics import skip as skip_letters
from shared.messaging.redriving import Row, count_rows, those_of
from shared.messaging.redriving import redrive as redrive_letters
from shared.runtime.text import printable


@dataclass(frozen=True, slots=True)
class Choice:
    """Which dead letters: those of this topic and this group, None for all; of these only `ids`, if there are some."""

    topic: str | None = None
    group: str | None = None
    ids: tuple[str, ...] = ()

    def of(self, found: list[StoredDeadLetter]) -> list[StoredDeadLetter]:
        """Return those that are meant. Raises Refused for an id that is not among them."""
        kept = those_of(found, self.topic, self.group)
        if not self.ids:
            return kept
        by_id = {stored.id: stored for stored in kept}
        if unknown := [each for each in self.ids if each not in by_id]:
            raise Refused(
                f"There is no dead letter {printable(', '.join(unknown))}. See their ids: pappus dlq ls --each"
            )
        return [by_id[each] for each in self.ids]


async def count(state: StateFolder, output: Output, choice: Choice, limit: int) -> None:
    """Show how many there are of each topic and group, `limit` rows at most."""
    found, redriven = await _read(state, output, choice)
    rows = count_rows(found, redriven)
    output.show(counts_table(rows[:limit]) if found else "There are no dead letters.")
    output.note(left_out(len(rows), limit, "rows"))
    output.give({"groups": [asdict(row) for row in rows[:limit]], "more": len(rows) > limit})


async def list_each(state: StateFolder, output: Output, choice: Choice, limit: int) -> None:
    """Show the newest `limit` dead letters, a line for each."""
    found, redriven = await _read(state, output, choice)
    shown = found[-limit:]
    for stored in shown:
        output.say(f"{stored.id}  {_one_line(stored)}{'  (redriven)' if stored.id in redriven else ''}")
    output.note("" if found else "There are no dead letters.")
    output.note(left_out(len(found), limit, "dead letters, the newest"))
    output.give(
        {"dead_letters": [_document(each, each.id in redriven) for each in shown], "more": len(found) > len(shown)}
    )


async def show(state: StateFolder, output: Output, letter_id: str) -> None:
    """Show one dead letter with all that it holds."""
    [stored], redriven = await _read(state, output, Choice(ids=(letter_id,)))
    for line in describe(stored, stored.id in redriven):
        output.say(line)
    output.give(_document(stored, stored.id in redriven))


async def skip(state: StateFolder, output: Output, group: str) -> None:
    """Say that what a group gave up so far is in order."""
    async with running_event_log(state) as (_, connection):
        places = sorted((await skip_letters(connection, group)).items())
    for place, offset in places:
        output.say(f"{printable(place.topic)}[{place.partition}]: what came before offset {offset} is in order")
    output.say("The group counts from zero after its next start; the supervisor starts one that stopped.")
    offsets = [{"topic": place.topic, "partition": place.partition, "offset": offset} for place, offset in places]
    output.give({"group": group, "skipped_before": offsets})


async def redrive(state: StateFolder, output: Output, choice: Choice, *, dry_run: bool) -> None:
    """Publish the originals of the chosen dead letters again, unless that was done."""
    with progress_line(output.progress) as line:
        line.say("reading the dead letters")
        async with running_event_log(state) as (event_log, connection):
            chosen = choice.of(await read_dead_letters(event_log))
            if dry_run:
                outcomes = await redrive_letters(event_log, chosen, None, line.say)
            else:
                async with open_redrive(connection) as again:
                    outcomes = await redrive_letters(event_log, chosen, again.publish, line.say)
    for outcome in outcomes:
        output.say(f"{printable(outcome.place)}  {outcome.outcome}  ({', '.join(outcome.ids)})")
    published = sum(outcome.published for outcome in outcomes)
    output.say(f"{published} of {len(outcomes)} messages were published again.")
    output.give({"messages": [asdict(outcome) for outcome in outcomes], "published": published})


def describe(stored: StoredDeadLetter, redriven: bool) -> Iterator[str]:
    """Yield one line for each field."""
    yield f"id: {stored.id}"
    yield f"redriven: {'yes' if redriven else 'no'}"
    if stored.letter is None:
        yield f"not a dead letter: {printable(repr(stored.record.value))}"
        return
    for name, value in stored.letter.model_dump(mode="json").items():
        if value is not None:
            yield f"{name}: {printable(str(value))}"


def counts_table(rows: list[Row]) -> Listing:
    """Return the counts as a table."""
    table = Listing(
        Column("topic", whole=True),
        Column("group", whole=True),
        Column("count", whole=True, right=True),
        Column("redriven", whole=True, right=True),
        Column("newest (UTC)", whole=True),
        Column("its id", whole=True),
        "reasons",
    )
    for row in rows:
        table.add(row.topic, row.group, str(row.count), str(row.redriven), row.when, row.newest, row.reasons)
    return table


async def _read(state: StateFolder, output: Output, choice: Choice) -> tuple[list[StoredDeadLetter], set[str]]:
    """Return the chosen dead letters, the oldest first, and the ids of those that were redriven."""
    with progress_line(output.progress) as line:
        line.say("reading the dead letters")
        async with running_event_log(state) as (event_log, _):
            found = choice.of(await read_dead_letters(event_log))
            return found, await already_redriven(event_log, [stored.letter for stored in found if stored.letter])


def _document(stored: StoredDeadLetter, redriven: bool) -> dict[str, Any]:
    """Return a dead letter for programs; `letter` is null if the record holds something else."""
    letter = stored.letter.model_dump(mode="json") if stored.letter else None
    return {"id": stored.id, "redriven": redriven, "letter": letter}


def _one_line(stored: StoredDeadLetter) -> str:
    letter = stored.letter
    if letter is None:
        return "not a dead letter"
    what = f"{letter.topic}[{letter.partition}]@{letter.offset}  {letter.handler}"
    return printable(f"{letter.failed_at:%Y-%m-%d %H:%M:%S}  {what}  {letter.error}: {letter.detail}")
