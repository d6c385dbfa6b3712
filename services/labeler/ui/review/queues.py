"""The queue that a review works through, as it stands in the address: a reload and a copied address show the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from services.labeler.ui.review import queue_words
from services.labeler.ui.sessions.browse_address import Address, read_address, write_address
from shared.clients.browse import ImageFilter, Sort
from shared.clients.review import QUEUES, QueueCount, QueueName, SavedFilter


@dataclass(frozen=True)
class ChosenQueue:
    """A queue. `images` and `sort` say what "filter" holds, and are kept while another queue is chosen; `saved` is the
    name under which the person saved them, empty for none."""

    name: QueueName = "doubtful"
    saved: str = ""
    images: ImageFilter = field(default_factory=ImageFilter)
    sort: Sort = "newest"

    @property
    def key(self) -> str:
        """What names it among all queues."""
        return f"{self.name}:{self.saved}" if self.name == "filter" and self.saved else self.name

    def named(self, key: object, filters: Sequence[SavedFilter] = ()) -> "ChosenQueue":
        """Return the queue with this key; this one, if there is none."""
        if key == "filter":
            return replace(self, name="filter", saved="")
        known = {f"filter:{each.name}": ChosenQueue("filter", each.name, each.filter, each.sort) for each in filters}
        known |= {name: replace(self, name=name) for name in QUEUES if name != "filter"}
        return known.get(str(key), self)

    def address(self) -> Address:
        """Return the parameters of the address of the page."""
        if self.name == "filter":
            named: Address = {"saved": self.saved} if self.saved else {}
            return {"queue": self.name} | named | write_address(self.images, self.sort)
        return {} if self.name == "doubtful" else {"queue": self.name}

    def choices(
        self, counts: Mapping[QueueName, QueueCount], filters: Sequence[SavedFilter] = ()
    ) -> list[dict[str, Any]]:
        """Return the queues that can be chosen, with how many images wait in each: saved filters, too, and one that was
        chosen in Browse."""
        offered = [name for name in QUEUES if name not in ("filter", "drifted", "to_vote")]
        offered += ["to_vote"] if self.name == "to_vote" or "to_vote" in counts else []
        offered += ["drifted"] if self.name == "drifted" or _waiting(counts.get("drifted")) else []
        found = [
            {"name": name, "title": queue_words.TITLES[name], "count": _count_text(counts.get(name))}
            for name in QUEUES
            if name in offered
        ]
        keys = [f"filter:{each.name}" for each in filters]
        found += [{"name": key, "title": each.name, "count": ""} for key, each in zip(keys, filters, strict=True)]
        asked = replace(self, name="filter")
        if asked.key not in keys and (self.name == "filter" or self.images != ImageFilter()):
            found.append({"name": asked.key, "title": self.saved or queue_words.TITLES["filter"], "count": ""})
        return found


def read_queue(params: Mapping[str, Sequence[str]]) -> ChosenQueue | None:
    """Return the queue in an address; None if it names none."""
    name = next(iter(params.get("queue", ())), None)
    if name not in QUEUES:
        return None
    if name != "filter":
        return ChosenQueue().named(name)
    asked, sort, _ = read_address(params)
    return ChosenQueue("filter", next(iter(params.get("saved", ())), ""), asked, sort)


def _waiting(count: QueueCount | None) -> int:
    return 0 if count is None else count.waiting


def _count_text(count: QueueCount | None) -> str:
    return "" if count is None else f"{count.waiting:,}+" if count.more else f"{count.waiting:,}"
