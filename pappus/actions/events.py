"""What is on a topic of the running stack."""

from typing import Any

from pappus.actions.event_log import running_event_log
from pappus.errors import Refused
from pappus.stack.folders import StateFolder
from pappus.terminal.listing import left_out
from pappus.terminal.output import Output
from pappus.terminal.progress import progress_line
from pappus.terminal.screen import errors
from shared.contract.topics import TOPIC_OF_NAME
from shared.messaging.event_log import Record
from shared.messaging.reading import read_to_the_end
from shared.runtime.text import printable


async def show(state: StateFolder, output: Output, topic: str, about: str | None, limit: int) -> None:
    """Show the newest `limit` events of a topic that contain the text `about` (None: all), the oldest first."""
    if topic not in TOPIC_OF_NAME:
        raise Refused(f"There is no topic {printable(topic)}. The topics are: {', '.join(sorted(TOPIC_OF_NAME))}.")
    with progress_line(output.progress) as line:
        line.say(f"reading {topic}")
        async with running_event_log(state) as (event_log, _), event_log.reader([topic]) as reader:
            found = [record async for record in read_to_the_end(reader) if is_about(record, about)]
    shown = sorted(found, key=lambda record: record.timestamp_ms)[-limit:]
    for record in shown:
        output.say(as_line(record))
    if cut := left_out(len(found), limit, "events, the newest"):
        errors.print(cut)  # a pipe gets one line of JSON for each event, and nothing else
    output.give({"records": [document_of(record) for record in shown], "more": len(found) > len(shown)})


def is_about(record: Record, text: str | None) -> bool:
    """Return whether the key or the bytes of the record contain the text; None is in every record."""
    return text is None or text in (record.key or "") or text.encode() in (record.value or b"")


def as_line(record: Record) -> str:
    """Return the bytes of the record as one line that no terminal acts on; of a record without bytes, why."""
    if record.value is None:
        return f"{record.topic}[{record.partition}]@{record.offset}: {record.unreadable or 'no value'}"
    return printable(record.value.decode(errors="backslashreplace"))


def document_of(record: Record) -> dict[str, Any]:
    """Return a record for programs; `value` is the text of its bytes, null if there are none."""
    value = None if record.value is None else record.value.decode(errors="backslashreplace")
    place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    return {**place, "key": record.key, "value": value, "unreadable": record.unreadable}
