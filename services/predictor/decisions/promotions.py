"""Which promotions count, and so which model should serve: the fold of model.promoted. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from shared.contract.events import ModelPromoted
from shared.contract.race_rules import promotion_counts

REMEMBERED = 20
"""How many counting promotions are kept: the newest to load, the others to fall back to."""


@dataclass(frozen=True, slots=True)
class Promotions:
    """The promotions that counted, oldest first; only the newest `REMEMBERED` of them."""

    counting: tuple[ModelPromoted, ...] = ()

    @property
    def wanted(self) -> ModelPromoted | None:
        """The promotion that should serve, or None before the first one."""
        return self.counting[-1] if self.counting else None

    @property
    def sequence(self) -> int:
        """The last sequence that counted, 0 before the first."""
        return self.counting[-1].sequence if self.counting else 0

    def fallbacks(self) -> Iterator[ModelPromoted]:
        """Yield earlier promotions, newest first, one for each artefact other than the wanted one."""
        seen = {self.wanted.artefact_sha256} if self.wanted else set()
        for promotion in reversed(self.counting):
            if promotion.artefact_sha256 not in seen:
                seen.add(promotion.artefact_sha256)
                yield promotion


def fold(promotions: Promotions, event: ModelPromoted) -> Promotions:
    """Return the state after `event`; the same object if it does not count (out of sequence, or a repetition)."""
    if not promotion_counts(promotions.sequence, event.sequence):
        return promotions
    return Promotions((*promotions.counting, event)[-REMEMBERED:])
