"""Which stored images does a picture resemble? The table `looks`, and its hashes in memory.

A search compares all hashes, which takes a few milliseconds for a million of them, and is exact. It is done before the
lock of the ledger is taken; under the lock only what was stored since is compared, so each image is compared with all
that were decided about before it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.ingestor.decisions.looks import WINDOWS, Candidate, Hashes, Look, find_candidates, is_copy, read_hashes
from shared.tables.database import Database, Transaction

ROWS_AT_ONCE = 20_000
_ROOM = 1024


@dataclass(frozen=True, slots=True)
class Comparison:
    """The numbers of the images that a picture resembles, of those up to the number `last`."""

    look: Look
    last: int
    copies: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Stored:
    number: int | None  # None: by the transaction under way
    group_id: str
    hashes: bytes
    thumbnail: bytes


class Resembling:
    """What pictures resemble, under the lock: it has the copies that were found, all that was stored since, and what
    is added, which the next pictures are compared with, too."""

    def __init__(self, stored: list[_Stored]) -> None:
        self._stored = stored  # oldest first
        self._added: list[tuple[UUID, _Stored]] = []

    def find(self, comparison: Comparison) -> list[str]:
        """Return the groups that a picture resembles, oldest first."""
        since = [each for each in self._stored if each.number is None or each.number > comparison.last]
        older = [each.group_id for each in self._stored if each.number in comparison.copies]
        hashes = read_hashes(b"".join(each.hashes for each in since))
        places = {
            candidate.place
            for candidate in find_candidates(comparison.look, hashes)
            if is_copy(comparison.look, candidate, since[candidate.place].thumbnail)
        }
        return older + [since[place].group_id for place in sorted(places)]

    def add(self, image_id: UUID, group_id: str, look: Look) -> None:
        """Take an image in, whose look `save` remembers."""
        added = _Stored(None, group_id, look.hashes, look.thumbnail)
        self._stored.append(added)
        self._added.append((image_id, added))

    async def save(self, transaction: Transaction) -> None:
        """Remember the looks of all images that were added, in their order."""
        await transaction.executemany(
            "INSERT INTO looks (image_id, group_id, hashes, thumbnail) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            [(image_id, added.group_id, added.hashes, added.thumbnail) for image_id, added in self._added],
        )


class Looks:
    """What stored images look like. Every method raises TransientError when PostgreSQL is away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._numbers = np.empty(_ROOM, np.int64)
        self._hashes: Hashes = np.empty((_ROOM, WINDOWS), np.uint64)
        self._count = 0
        self._reading = asyncio.Lock()

    async def compare(self, looks: Sequence[Look]) -> list[Comparison]:
        """Compare pictures with all images whose decision is committed."""
        await self._read_new()
        count, last = self._count, self._last
        hashes, numbers = self._hashes[:count], self._numbers[:count]
        candidates = await asyncio.to_thread(_find_all_candidates, looks, hashes, numbers)
        rows = await self._database.fetch(
            "SELECT number, thumbnail FROM looks WHERE number = ANY($1)",
            list({number for found in candidates for number in found}),
        )
        thumbnails = {row["number"]: row["thumbnail"] for row in rows}
        copies = await asyncio.to_thread(_find_all_copies, looks, candidates, thumbnails)
        return [Comparison(look, last, found) for look, found in zip(looks, copies, strict=True)]

    async def finish(self, transaction: Transaction, comparisons: Sequence[Comparison]) -> "Resembling":
        """Read what was stored since, under the lock, and what of the copies that were found is not withdrawn."""
        rows = await transaction.fetch(
            """SELECT number, group_id, hashes, thumbnail FROM looks WHERE number > $1 OR number = ANY($2)
               ORDER BY number""",
            min((comparison.last for comparison in comparisons), default=0),
            list({number for comparison in comparisons for number in comparison.copies}),
        )
        return Resembling([_Stored(**dict(row)) for row in rows])

    @property
    def _last(self) -> int:
        return int(self._numbers[self._count - 1]) if self._count else 0

    async def _read_new(self) -> None:
        """Read what was committed since, into memory. Numbers are given under the lock, so they are committed in
        order."""
        async with self._reading:
            while True:
                rows = await self._database.fetch(
                    "SELECT number, hashes FROM looks WHERE number > $1 ORDER BY number LIMIT $2",
                    self._last,
                    ROWS_AT_ONCE,
                )
                if rows:
                    self._append([row["number"] for row in rows], b"".join(row["hashes"] for row in rows))
                if len(rows) < ROWS_AT_ONCE:
                    return

    def _append(self, numbers: Sequence[int], hashes: bytes) -> None:
        end = self._count + len(numbers)
        if end > len(self._numbers):  # searches go on in the arrays of before
            room = max(end, 2 * len(self._numbers)) - self._count
            self._numbers = np.concatenate([self._numbers[: self._count], np.empty(room, np.int64)])
            self._hashes = np.concatenate([self._hashes[: self._count], np.empty((room, WINDOWS), np.uint64)])
        self._numbers[self._count : end] = numbers
        self._hashes[self._count : end] = read_hashes(hashes)
        self._count = end


def _find_all_candidates(
    looks: Sequence[Look], hashes: Hashes, numbers: NDArray[np.int64]
) -> list[dict[int, Candidate]]:
    """Return for each picture its candidates by their numbers."""
    return [{int(numbers[each.place]): each for each in find_candidates(look, hashes)} for look in looks]


def _find_all_copies(
    looks: Sequence[Look], candidates: Sequence[dict[int, Candidate]], thumbnails: dict[int, bytes]
) -> list[frozenset[int]]:
    """Return the numbers of the copies of each picture; a candidate without a thumbnail was withdrawn."""
    return [
        frozenset(
            number
            for number, candidate in found.items()
            if number in thumbnails and is_copy(look, candidate, thumbnails[number])
        )
        for look, found in zip(looks, candidates, strict=True)
    ]
