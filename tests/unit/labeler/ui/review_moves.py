"""Moves as a browser lists them, for tests."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.labeler.ui.review.moves import Move, read_moves


@dataclass
class Tab:
    """One tab: it numbers its moves, and lists all that are not confirmed."""

    name: str = "tab-1"
    moves: list[dict[str, Any]] = field(default_factory=list)

    def add(self, kind: str, image_id: UUID, **facts: Any) -> str:
        """Make a move; return its key."""
        number = len(self.moves) + 1
        key = f"{self.name}-move-{number}"
        after = facts.get("after")
        known = {
            "number": number,
            "key": key,
            "kind": kind,
            "image_id": str(image_id),
            "revision": None if after else 0,
        }
        self.moves.append(known | facts)
        return key

    def label(self, image_id: UUID, label: str, **facts: Any) -> str:
        """Set a label."""
        return self.add("label", image_id, label=label, **facts)

    def undo(self, key: str) -> str:
        """Undo a move."""
        image_id = next(UUID(move["image_id"]) for move in self.moves if move["key"] == key)
        return self.add("undo", image_id, of=key, after=key)

    def listed(self, numbers: Sequence[int] | None = None) -> list[Move]:
        """Return the moves with these numbers, all by default, as Python reads them."""
        return read_moves([move for move in self.moves if numbers is None or move["number"] in numbers])

    def says(self, current: UUID | None = None) -> dict[str, Any]:
        """Return what the browser sends."""
        return {"moves": self.moves, "current": None if current is None else str(current), "asked": 1}
