"""Labels that contradict the data set are looked for beside the API, after changes, and kept in a table.

All labelled images are compared with each other (`decisions/label_doubt.py`), which takes seconds with very many: so it
is done a small share of the time, and the queue shows what was found last. An image whose label has changed since is
left out there. Two processes that do it at once write the same.
"""

import asyncio
import time
from array import array
from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.labeler.decisions.label_doubt import doubts, fold_of_group
from services.labeler.queries.label_doubts import Doubt, keep_doubts, labelled_places
from services.labeler.settings import LabelerSettings
from shared.contract.events import ImageStored, ImageWithdrawn, LabelCorrected
from shared.contract.image_scored import ImageScored
from shared.runtime.health import Health
from shared.tables.database import Database
from shared.tables.single_worker import run_in_one_process

PART = "label doubts"
PAUSE_SECONDS = 5.0
SHARE = 0.05
"""The share of the time that it works."""
MOST = 10_000
"""So many of the most doubted labels are kept."""
HEADER_BYTES = 4


class LabelDoubts:
    """Finds labels that contradict the data set."""

    def __init__(self, database: Database, settings: LabelerSettings, topics: Sequence[str]) -> None:
        """`topics`: all that the tables are folded from."""
        self._database = database
        self._settings = settings
        needed = (ImageStored, ImageWithdrawn, LabelCorrected, ImageScored)
        self._regardless_of = set(topics) - {event.topic for event in needed}

    async def run(self, health: Health) -> None:
        """Look now and after changes until cancelled, in one process of all. Raises what `Database` raises."""

        async def work() -> None:
            async with self._database.changes(self._regardless_of) as changes:
                while True:
                    started = time.monotonic()
                    found = await self.look()
                    health.set(PART, True, f"{found} labels contradict the data set")
                    await asyncio.sleep(max(PAUSE_SECONDS, (time.monotonic() - started) / SHARE))
                    while not await changes.wait(3600.0):
                        pass

        silence = self._settings.writer_silence_seconds
        await run_in_one_process(work, database=self._database, health=health, name=PART, silence_seconds=silence)

    async def look(self) -> int:
        """Compare all labels, keep those that are contradicted, and return how many these are."""
        known = LabelledPlaces()
        async for rows in labelled_places(self._database):
            await asyncio.to_thread(known.add, rows)
        found = await asyncio.to_thread(known.contradicted)
        await keep_doubts(self._database, found)
        return len(found)


class LabelledPlace(Protocol):
    """A row of `labelled_places`."""

    def __getitem__(self, column: str, /) -> Any:
        """Return the value of a column."""


class LabelledPlaces:
    """All labelled images in little room: some 250 bytes each."""

    def __init__(self) -> None:
        self._ids: list[UUID] = []
        self._names: dict[str, int] = {}
        self._labels = array("i")
        self._folds = array("b")
        self._waits = array("b")
        self._places: list[NDArray[np.float16]] = []

    def add(self, rows: Sequence[LabelledPlace]) -> None:
        """Add rows of `labelled_places`."""
        self._ids.extend(row["image_id"] for row in rows)
        self._labels.extend(self._names.setdefault(row["label"], len(self._names)) for row in rows)
        self._folds.extend(fold_of_group(row["group_id"]) for row in rows)
        self._waits.extend(row["to_review"] for row in rows)
        data = b"".join(row["place"][HEADER_BYTES:] for row in rows)
        self._places.append(np.frombuffer(data, ">f2").astype(np.float16).reshape(len(rows), -1))

    def contradicted(self) -> list[Doubt]:
        """Return the labels that the other images contradict and no person has decided about, the most doubted
        first."""
        if not self._ids:
            return []
        labels, names = np.array(self._labels, np.intp), list(self._names)
        found = doubts(np.concatenate(self._places).astype(np.float32), labels, np.array(self._folds, np.intp))
        if found is None:
            return []
        kept = np.flatnonzero((found.doubt > 0) & (np.array(self._waits) != 0))
        kept = kept[np.argsort(-found.doubt[kept], kind="stable")][:MOST]
        return [
            (self._ids[at], names[labels[at]], names[found.other[at]], float(found.doubt[at])) for at in kept.tolist()
        ]
