"""Dead letters as people see them: counted by topic and group, and their originals published again."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from shared.contract.dead_letter import DeadLetter
from shared.messaging.event_log import EventLog
from shared.messaging.kafka.dead_letter_topics import Original, StoredDeadLetter, already_redriven, original_of
from shared.runtime.text import printable

REASON_CHARACTERS = 80
REASONS = 3
Publish = Callable[[Sequence[str], DeadLetter, Original], Awaitable[int]]
"""Appends the original of these dead letters, which are about one record, and returns its offset."""


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


def those_of(found: Iterable[StoredDeadLetter], topic: str | None, group: str | None) -> list[StoredDeadLetter]:
    """Return the dead letters of this topic and this group, None for all."""
    return [
        stored
        for stored in found
        if (topic is None or (stored.letter and stored.letter.topic == topic))
        and (group is None or (stored.letter and stored.letter.handler == group))
    ]


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


async def redrive(
    event_log: EventLog,
    chosen: Iterable[StoredDeadLetter],
    publish: Publish | None,
    show: Callable[[str], None] = lambda _: None,
) -> list[Redriven]:
    """Publish the original of each chosen dead letter again, unless that was done; return what came of each. Without
    `publish` only say what would be done. `show` is called with the progress."""
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
    async with event_log.reader(topics) as reader:
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
            elif publish is None:
                outcomes.append(Redriven(ids, where, "would be redriven"))
            else:
                offset = await publish(ids, letter, original)
                outcomes.append(Redriven(ids, where, f"redriven as offset {offset}", published=True))
    return outcomes


def _why(original: Original) -> str:
    return original.missing or "it has no value, so it can never be handled"
