"""Dead letters as people see them: counted, shown as text that a terminal cannot take for anything else, redriven."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from shared.contract.dead_letter import DeadLetter
from shared.messaging.kafka import KafkaEventLog
from shared.messaging.kafka.dead_letter_topics import (
    Original,
    StoredDeadLetter,
    already_redriven,
    open_redrive,
    original_of,
)
from shared.runtime.kafka_connection import KafkaConnection

REASON_CHARACTERS = 80
REASONS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """The dead letters of one topic and one group. `newest` is the id of the last one."""

    topic: str
    group: str
    count: int
    redriven: int
    newest: str
    when: str
    reasons: str


@dataclass(frozen=True, slots=True)
class Redriven:
    """One original: the ids of the dead letters about it, where it stood, and what came of it."""

    ids: tuple[str, ...]
    place: str
    outcome: str
    published: bool = False


def printable(text: str) -> str:
    """Return text in one line, with everything that a terminal would act on written as an escape."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def count_rows(found: Sequence[StoredDeadLetter], redriven: set[str]) -> list[Row]:
    """Return one row for each topic and group; what is no dead letter counts under the group "?"."""
    groups: dict[tuple[str, str], list[StoredDeadLetter]] = defaultdict(list)
    for stored in found:
        letter = stored.letter
        groups[(letter.topic, letter.handler) if letter else (stored.record.topic, "?")].append(stored)
    return [_row(topic, group, members, redriven) for (topic, group), members in sorted(groups.items())]


def _row(topic: str, group: str, members: Sequence[StoredDeadLetter], redriven: set[str]) -> Row:
    reasons = Counter(_reason(stored.letter) for stored in members)
    newest = members[-1]
    return Row(
        printable(topic),
        printable(group),
        len(members),
        sum(stored.id in redriven for stored in members),
        newest.id,
        f"{newest.letter.failed_at:%Y-%m-%d %H:%M:%S}" if newest.letter else "",
        "\n".join(f"{count} x {reason}" for reason, count in reasons.most_common(REASONS)),
    )


def _reason(letter: DeadLetter | None) -> str:
    if letter is None:
        return "not a dead letter"
    text = printable(f"{letter.error}: {letter.detail}")
    return text if len(text) <= REASON_CHARACTERS else text[:REASON_CHARACTERS] + "…"


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


async def redrive(
    event_log: KafkaEventLog,
    connection: KafkaConnection,
    chosen: Iterable[StoredDeadLetter],
    *,
    dry_run: bool,
    show: Callable[[str], None],
) -> list[Redriven]:
    """Publish the original of each chosen dead letter again, unless that was done; return what came of each. `show` is
    called with the progress."""
    by_place: dict[tuple[str, int, int], list[StoredDeadLetter]] = defaultdict(list)
    letters: dict[tuple[str, int, int], DeadLetter] = {}
    for stored in chosen:
        if stored.letter is not None:
            place = (stored.letter.topic, stored.letter.partition, stored.letter.offset)
            by_place[place].append(stored)
            letters[place] = stored.letter
    done = await already_redriven(event_log, list(letters.values()))
    outcomes: list[Redriven] = []
    topics = sorted({topic for topic, _, _ in letters})
    if not topics:
        return []
    async with event_log.reader(topics) as reader, open_redrive(connection) as again:
        for place, letter in letters.items():
            show(f"{len(outcomes)} of {len(letters)} messages are done")
            ids = tuple(stored.id for stored in by_place[place])
            where = f"{letter.topic}[{letter.partition}]@{letter.offset}"
            if done & set(ids):
                outcomes.append(Redriven(ids, where, "was redriven before"))
                continue
            original = await original_of(reader, letter)
            if original.missing or original.value is None:
                outcomes.append(Redriven(ids, where, f"not redriven: {_why(original)}"))
            elif dry_run:
                outcomes.append(Redriven(ids, where, "would be redriven"))
            else:
                offset = await again.publish(ids, letter, original)
                outcomes.append(Redriven(ids, where, f"redriven as offset {offset}", published=True))
    return outcomes


def _why(original: Original) -> str:
    return original.missing or "it has no value, so it can never be handled"
