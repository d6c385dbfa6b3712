"""What a handler remembers about a partition over its own crashes, kept in the metadata of the committed offset."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

LAST_FAILURE = 3
"""A message that raised this often becomes a dead letter."""


@dataclass(frozen=True, slots=True)
class Failures:
    """Exceptions per offset that is not finished yet, and how many dead letters came in a row."""

    exceptions: Mapping[int, int] = field(default_factory=dict)
    dead_letters_in_a_row: int = 0

    @classmethod
    def from_metadata(cls, metadata: str) -> "Failures":
        """Read metadata; metadata of another writer counts as empty."""
        try:
            found = json.loads(metadata)
            exceptions = {int(offset): int(times) for offset, times in found["failures"].items()}
            return cls(exceptions, int(found["dead_letters"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def to_metadata(self) -> str:
        """Write as metadata; empty if there is nothing to remember."""
        if not self.exceptions and not self.dead_letters_in_a_row:
            return ""
        failures = {str(offset): times for offset, times in sorted(self.exceptions.items())}
        return json.dumps({"failures": failures, "dead_letters": self.dead_letters_in_a_row})

    def raised(self, offset: int) -> "Failures":
        """Return the failures after one more exception at `offset`."""
        return replace(self, exceptions={**self.exceptions, offset: self.exceptions.get(offset, 0) + 1})

    def finished(self, offset: int, dead: bool) -> "Failures":
        """Return the failures after `offset` was handled or dead-lettered."""
        rest = {other: times for other, times in self.exceptions.items() if other != offset}
        return Failures(rest, self.dead_letters_in_a_row + 1 if dead else 0)

    @property
    def has_failures(self) -> bool:
        """Whether a message ahead has raised before, so that messages are handled one at a time."""
        return bool(self.exceptions)
