"""What people decided about the stored images, in memory: read once, and then only what changed. So a decision that
depends on all of it costs the same at a hundred thousand images as at a hundred."""

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from services.trainer.data import queries
from services.trainer.dataset.records import Correction, LabelledImage, Reading, Retraction
from shared.tables.database import Database

MOST_CHANGES = 2_000
"""When more images changed, all are read again, which is quicker."""


class _OfImage(Protocol):
    @property
    def image_id(self) -> UUID:
        """Which image the row is about."""


Row = TypeVar("Row", bound=_OfImage)
Ask = Callable[[Database, Collection[UUID] | None], Awaitable[list[Row]]]


@dataclass(frozen=True)
class Labels:
    """What `queries` answers at one moment, each in the order of image ids; of the labelled images those that are kept.
    A sequence in which nothing changed is the same object as before."""

    images: Sequence[LabelledImage]
    corrections: Sequence[Correction]
    retractions: Sequence[Retraction]


class KeptLabels:
    """Answers as `queries.labelled_images`, `applied_corrections` and `retractions` do. `keep`: which labelled images
    are kept; None: none, and they are not asked for."""

    def __init__(self, database: Database, keep: Callable[[LabelledImage], bool] | None = None) -> None:
        self._database = database
        self._reading: Reading | None = None
        self._turn = asyncio.Lock()
        self._images = _Kept(_labelled_images(keep))
        self._corrections = _Kept(queries.applied_corrections)
        self._retractions = _Kept(queries.retractions)

    async def read(self) -> Labels:
        """Return what the tables say now. Raises TransientError if they are away."""
        async with self._turn:
            before = self._reading
            reading, changed = await queries.changes_since(self._database, before, MOST_CHANGES)
            whole = before is None or before.table_id != reading.table_id or len(changed) > MOST_CHANGES
            if whole or changed:
                self._reading = None  # until all three are read: else one that failed would stay behind
                among = None if whole else changed
                kept = (self._images, self._corrections, self._retractions)
                await asyncio.gather(*(each.read(self._database, among) for each in kept))
            self._reading = reading
            return Labels(self._images.rows, self._corrections.rows, self._retractions.rows)


def _labelled_images(keep: Callable[[LabelledImage], bool] | None) -> Ask[LabelledImage]:
    async def ask(database: Database, among: Collection[UUID] | None) -> list[LabelledImage]:
        if keep is None:
            return []
        return [image for image in await queries.labelled_images(database, among) if keep(image)]

    return ask


class _Kept(Generic[Row]):
    """The answer to one question."""

    def __init__(self, ask: Ask[Row]) -> None:
        self._ask = ask
        self._image_ids: list[UUID] = []
        self._rows: list[Row] = []
        self.rows: tuple[Row, ...] = ()

    async def read(self, database: Database, changed: Collection[UUID] | None) -> None:
        """Ask again, about these images only if they are given."""
        found = await self._ask(database, changed)
        if changed is None:
            self._rows, self._image_ids = found, [row.image_id for row in found]
            self.rows = tuple(found)
            return
        now = {row.image_id: row for row in found}
        differ = [self._put(image_id, now.get(image_id)) for image_id in changed]
        if any(differ):
            self.rows = tuple(self._rows)

    def _put(self, image_id: UUID, row: Row | None) -> bool:
        """Put this row in the place of the one of this image, or none; gives whether that changes anything."""
        at = bisect_left(self._image_ids, image_id)
        here = at < len(self._image_ids) and self._image_ids[at] == image_id
        if row is None:
            if here:
                del self._image_ids[at], self._rows[at]
            return here
        if here:
            before, self._rows[at] = self._rows[at], row
            return before != row
        self._image_ids.insert(at, image_id)
        self._rows.insert(at, row)
        return True
