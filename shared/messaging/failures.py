"""What a handler remembers about a partition over its own crashes, kept in the metadata of the committed offset."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

LAST_FAILURE = 3
"""A message that raised this often becomes a dead letter."""
LAST_DEATH = 5
"""So does one that ended its process this often. More than for exceptions, because a message may only have been in work
when something else killed the process, several times in a few seconds."""
MOST_BEGUN = 64
"""So many begun offsets are remembered at most: Kafka takes 4,096 bytes of metadata."""


@dataclass(frozen=True, slots=True)
class Failures:
    """Exceptions per offset that is not finished yet, and how many dead letters came in a row.

    A process that is killed raises nothing. So `open` says that a process works on the partition, until it ends in an
    orderly way. The next one that finds it open notes which offsets it has `begun`, before it handles them; the one
    after that counts these as `deaths`.
    """

    exceptions: Mapping[int, int] = field(default_factory=dict)
    dead_letters_in_a_row: int = 0
    open: bool = False
    begun: frozenset[int] = frozenset()
    deaths: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def from_metadata(cls, metadata: str) -> "Failures":
        """Read metadata; metadata of another writer counts as empty."""
        try:
            found = json.loads(metadata)
            exceptions = {int(offset): int(times) for offset, times in found["failures"].items()}
            deaths = {int(offset): int(times) for offset, times in found.get("deaths", {}).items()}
            begun = frozenset(int(offset) for offset in found.get("begun", ()))
            return cls(exceptions, int(found["dead_letters"]), bool(found.get("open")), begun, deaths)
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def to_metadata(self) -> str:
        """Write as metadata; empty if there is nothing to remember."""
        if self == Failures():
            return ""
        note: dict[str, Any] = {"failures": _by_text(self.exceptions), "dead_letters": self.dead_letters_in_a_row}
        if self.open:
            note["open"] = True
        if self.begun:
            note["begun"] = sorted(self.begun)[:MOST_BEGUN]
        if self.deaths:
            note["deaths"] = _by_text(self.deaths)
        return json.dumps(note, separators=(",", ":"))

    def taken_over(self) -> "Failures":
        """Return the failures for the process that works on the partition from now on: what the one before had begun,
        and neither ended nor closed, has ended that process."""
        deaths = dict(self.deaths)
        for offset in self.begun:
            deaths[offset] = deaths.get(offset, 0) + 1
        return replace(self, open=True, begun=frozenset(), deaths=deaths)

    def closed(self) -> "Failures":
        """Return the failures after an orderly end."""
        return replace(self, open=False, begun=frozenset())

    def began(self, offset: int) -> "Failures":
        """Return the failures while `offset` is handled."""
        return replace(self, begun=self.begun | {offset})

    def ended(self, offset: int) -> "Failures":
        """Return the failures after the handling of `offset` ended in any way, while the process lives."""
        return replace(self, begun=self.begun - {offset})

    def raised(self, offset: int) -> "Failures":
        """Return the failures after one more exception at `offset`."""
        return replace(self, exceptions={**self.exceptions, offset: self.exceptions.get(offset, 0) + 1})

    def finished(self, offset: int, dead: bool) -> "Failures":
        """Return the failures after `offset` was handled or dead-lettered."""
        return replace(
            self,
            exceptions={other: times for other, times in self.exceptions.items() if other != offset},
            deaths={other: times for other, times in self.deaths.items() if other != offset},
            begun=self.begun - {offset},
            dead_letters_in_a_row=self.dead_letters_in_a_row + 1 if dead else 0,
        )

    @property
    def has_failures(self) -> bool:
        """Whether a message ahead has raised or ended a process before, so that messages are handled one at a time."""
        return bool(self.exceptions or self.deaths)


def _by_text(counts: Mapping[int, int]) -> dict[str, int]:
    return {str(offset): times for offset, times in sorted(counts.items())}
