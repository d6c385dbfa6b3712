"""The logs of the stack: one file per process, trimmed, shown and followed."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

LARGEST_BYTES = 50 * 1024 * 1024
KEPT_BYTES = 5 * 1024 * 1024
LOOK_SECONDS = 0.2
BLOCK_BYTES = 64 * 1024


def trim(log: Path, largest_bytes: int = LARGEST_BYTES, kept_bytes: int = KEPT_BYTES) -> None:
    """Trim a log that is too large to its end, in place: its writer appends, so it continues at the new end."""
    if log.stat().st_size <= largest_bytes:
        return
    with log.open("r+b") as file:
        file.seek(-kept_bytes, 2)
        kept = file.read()
        file.seek(0)
        file.truncate()
        file.write(kept[kept.find(b"\n") + 1 :])


def last_lines(log: Path, count: int) -> list[str]:
    """Return the last lines of a log, however long they are; none if it does not exist yet."""
    if not log.exists() or count < 1:
        return []
    end = b""
    with log.open("rb") as file:
        place = file.seek(0, 2)
        while place and end.count(b"\n") <= count:
            step = min(place, BLOCK_BYTES)
            place = file.seek(place - step)
            end = file.read(step) + end
    return end.decode(errors="replace").splitlines()[-count:]


def follow(logs: dict[str, Path], ended: Callable[[], bool]) -> Iterator[tuple[str, str]]:
    """Yield new lines with the name of their log, until `ended()` is true."""
    places = {name: log.stat().st_size if log.exists() else 0 for name, log in logs.items()}
    while not ended():
        silent = True
        for name, log in logs.items():
            for line in _new_lines(log, name, places):
                silent = False
                yield name, line
        if silent:
            time.sleep(LOOK_SECONDS)


def _new_lines(log: Path, name: str, places: dict[str, int]) -> list[str]:
    if not log.exists():
        return []
    with log.open("rb") as file:
        if file.seek(0, 2) < places[name]:
            places[name] = 0  # the log was trimmed
        file.seek(places[name])
        whole, newline, _ = file.read().rpartition(b"\n")
        places[name] += len(whole) + len(newline)
    return whole.decode(errors="replace").splitlines()
