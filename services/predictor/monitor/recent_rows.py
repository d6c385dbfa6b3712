"""The newest rows of each partition of a topic, in a table of Faust: a window that is there again after a restart."""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Generic, TypeVar

from services.predictor.monitor.decisions.rows import Position

R = TypeVar("R", bound=Position)

SLOTS = 4096
"""Rows kept of each partition; the oldest is overwritten. More than that between two ticks are not all counted."""


class RecentRows(Generic[R]):
    """Rows of one model by partition and offset. A row whose key is among those kept is not added again."""

    def __init__(self, table: MutableMapping[str, Any], model_name: str) -> None:
        self._table = table
        self._prefix = f"{model_name}/"
        self._keys: dict[str, str] | None = None
        self._next: dict[str, int] = {}

    def add(self, key: str, row: R) -> bool:
        """Keep the row under its position. Return whether it was added. Call it in the body that handles its event."""
        keys = self._slots_by_key()
        if key in keys:
            return False
        number = self._next.get(row["partition"], 0)
        self._next[row["partition"]] = number + 1
        slot = f"{self._prefix}{row['partition']}/{number % SLOTS}"
        before = self._table.get(slot)
        if before is not None:
            keys.pop(before["key"], None)
        self._table[slot] = {"key": key, "row": row, "number": number}
        keys[key] = slot
        return True

    def after(self, seen: Mapping[str, int]) -> list[R]:
        """Return the rows at or after these offsets by partition, in order of their time."""
        rows: list[R] = [kept["row"] for _, kept in self._own()]
        new = [row for row in rows if row["offset"] >= seen.get(row["partition"], 0)]
        return sorted(new, key=lambda row: (row["at"], row["event_id"], row["offset"]))  # type: ignore[typeddict-item]

    def _slots_by_key(self) -> dict[str, str]:
        if self._keys is None:  # the table is complete when the first body runs
            self._keys = {}
            for slot, kept in self._own():
                self._keys[kept["key"]] = slot
                partition = kept["row"]["partition"]
                number = kept.get("number", kept["row"]["offset"])  # earlier releases numbered rows by their offset
                self._next[partition] = max(self._next.get(partition, 0), number + 1)
        return self._keys

    def _own(self) -> Iterator[tuple[str, Any]]:
        """Yield the slots of this model; a model of another name may have left its own in the table."""
        return ((slot, kept) for slot, kept in self._table.items() if slot.startswith(self._prefix))
