"""The ledger of the fetcher: a decision is written before it is published, and found again when its input comes again.

Which image was first with some bytes, and which group an image belongs to, depends on earlier decisions; so images are
stored in one transaction at a time, under a lock, and each image is decided about under a lock of its own. Decisions
that are asked for meanwhile share the next transaction: as many round trips and flushes to the disk as for one.
"""

from collections.abc import Sequence
from uuid import UUID

from services.ingestor.data import tombstones
from services.ingestor.data.looks import Looks
from services.ingestor.decisions.groups import choose_group
from services.ingestor.decisions.images import AcceptedImage
from services.ingestor.decisions.outcomes import Outcome, duplicate, rejected, rejected_id, stored, stored_id
from services.ingestor.decisions.withdrawn import WithdrawnBytes
from shared.contract.events import ImageRegistered, ImageRejected, ImageStored, ImageWithdrawn
from shared.runtime.batcher import Batcher
from shared.runtime.clock import Clock
from shared.tables.database import Database, Transaction
from shared.web.rejection import Rejection

AT_ONCE = 32
"""Decisions in one transaction at most: more than images are in work, by default."""
_LOCK = """
WITH keys AS MATERIALIZED (SELECT DISTINCT hashtextextended(name, 0) AS key FROM unnest($1::text[]) name ORDER BY key)
SELECT pg_advisory_xact_lock(key) FROM keys
"""
"""In one order everywhere, so that two transactions that take several locks never wait for each other."""
_ENTER = """
INSERT INTO ledger (event_id, image_id, event, sha256, perceptual_hash, group_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::jsonb[], $4::text[], $5::text[], $6::text[])
    AS made (event_id, image_id, event, sha256, perceptual_hash, group_id)
WHERE made.sha256 IS NULL OR NOT EXISTS (SELECT FROM tombstones t WHERE t.image_id = made.image_id)
ON CONFLICT DO NOTHING
"""

_Accepted = tuple[ImageRegistered, AcceptedImage]
_Refused = tuple[ImageRegistered, Rejection]
_Known = dict[UUID, Outcome]
"""Decisions by event id."""


class Ledger:
    """The table `ledger` of the ingestor's schema. Every method raises TransientError when PostgreSQL is away."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._looks = Looks(database)
        self._outcomes: Batcher[ImageRegistered, Outcome | None] = Batcher(self._find_outcomes, AT_ONCE)
        self._held: Batcher[str, bool] = Batcher(self._find_held, AT_ONCE)
        self._withdrawn: Batcher[tombstones.Asked, Rejection | None] = Batcher(self._find_refusals, AT_ONCE)
        self._accepted: Batcher[_Accepted, Outcome | WithdrawnBytes] = Batcher(self._store, AT_ONCE)
        self._refused: Batcher[_Refused, Outcome] = Batcher(self._reject, AT_ONCE)

    async def outcome(self, event: ImageRegistered) -> Outcome | None:
        """Return the decision about this registration (image stored, or this attempt rejected), None without one."""
        return await self._outcomes.call(event)

    async def holds(self, sha256: str) -> bool:
        """Return whether an image with these bytes was stored."""
        return await self._held.call(sha256)

    async def refusal(self, event: ImageRegistered, sha256: str | None = None) -> Rejection | None:
        """Return why this image, or these bytes, are not taken: a person withdrew them. None if they were not."""
        return await self._withdrawn.call((event.image_id, sha256))

    async def withdraw(self, event: ImageWithdrawn) -> None:
        """Take the image back: no later decision stores it, or its bytes."""
        async with self._database.transaction() as transaction:
            await self._lock(transaction, "ledger")
            await tombstones.enter(transaction, event)

    async def store(self, event: ImageRegistered, image: AcceptedImage) -> Outcome:
        """Decide that the image is stored, or rejected if another image holds its bytes; an earlier decision stands.
        Raises WithdrawnBytes, and decides nothing, for bytes that were withdrawn."""
        decided = await self._accepted.call((event, image))
        if isinstance(decided, WithdrawnBytes):
            raise decided
        return decided

    async def reject(self, event: ImageRegistered, rejection: Rejection) -> Outcome:
        """Decide that this attempt is rejected; an earlier decision stands."""
        return await self._refused.call((event, rejection))

    async def _find_outcomes(self, events: Sequence[ImageRegistered]) -> list[Outcome | None]:
        known = await _known(self._database, events)
        return [_outcome(known, event) for event in events]

    async def _find_held(self, hashes: Sequence[str]) -> list[bool]:
        holders = await _holders(self._database, hashes)
        return [sha256 in holders for sha256 in hashes]

    async def _find_refusals(self, asked: Sequence[tombstones.Asked]) -> list[Rejection | None]:
        return await tombstones.refuse(self._database, asked)

    async def _store(self, items: Sequence[_Accepted]) -> list[Outcome | WithdrawnBytes]:
        events, images = [event for event, _ in items], [image for _, image in items]
        compared = await self._looks.compare([image.look for image in images])
        async with self._database.transaction() as transaction:
            await self._lock(transaction, *(str(event.image_id) for event in events))
            await self._lock(transaction, "ledger")
            known, made = await _known(transaction, events), list[Outcome]()
            holders = await _holders(transaction, [image.sha256 for image in images])
            groups_of_before = await _groups_of_before(transaction, images)
            resembling = await self._looks.finish(transaction, compared)
            refusals = await tombstones.refuse(transaction, [(event.image_id, image.sha256) for event, image in items])
            for (event, image), refusal, comparison in zip(items, refusals, compared, strict=True):  # as they came
                if _outcome(known, event) is not None or refusal is not None:
                    continue
                outcome: Outcome
                if (holder := holders.get(image.sha256)) is not None:
                    outcome = rejected(event, duplicate(holder), self._clock())
                else:
                    resembled = resembling.find(comparison) or groups_of_before.get(image.perceptual_hash, [])
                    grouped = choose_group(event.image_id, resembled)
                    if not grouped.joins:
                        resembling.add(event.image_id, grouped.group_id, image.look)
                    outcome = stored(event, image, grouped, self._clock())
                    holders[image.sha256] = event.image_id
                known[outcome.event_id] = outcome
                made.append(outcome)
            await resembling.save(transaction)
            await enter(transaction, made)
        return [
            WithdrawnBytes(refusal)
            if refusal is not None and _outcome(known, event) is None
            else _decided(known, event)
            for event, refusal in zip(events, refusals, strict=True)
        ]

    async def _reject(self, items: Sequence[_Refused]) -> list[Outcome]:
        events = [event for event, _ in items]
        async with self._database.transaction() as transaction:
            await self._lock(transaction, *(str(event.image_id) for event in events))
            known, made = await _known(transaction, events), list[Outcome]()
            for event, rejection in items:
                if _outcome(known, event) is None:
                    outcome = rejected(event, rejection, self._clock())
                    known[outcome.event_id] = outcome
                    made.append(outcome)
            await enter(transaction, made)
        return [_decided(known, event) for event in events]

    async def _lock(self, transaction: Transaction, *what: str) -> None:
        """Wait for the others that decide about these images, or about stored bytes, until the transaction ends. A
        rejection waits for no stored image, and an upload not for thousands of rows that are rejected."""
        await transaction.execute(_LOCK, [f"{self._database.schema}.{name}" for name in what])


async def enter(transaction: Transaction, outcomes: Sequence[Outcome]) -> None:
    """Write decisions; earlier ones stay as they are.

    Both the handler and the projection write: the handler before it publishes, so that a repetition decides alike, and
    the projection from the log, so that a ledger that was lost knows stored bytes again and rejects their duplicates.
    An image that was withdrawn is not entered as stored again.
    """
    if not outcomes:
        return
    images = [outcome if isinstance(outcome, ImageStored) else None for outcome in outcomes]
    await transaction.execute(
        _ENTER,
        [outcome.event_id for outcome in outcomes],
        [outcome.image_id for outcome in outcomes],
        [outcome.model_dump(mode="json") for outcome in outcomes],
        [image and image.sha256 for image in images],
        [image and image.perceptual_hash for image in images],
        [image and image.group_id for image in images],
    )


def _outcome(known: _Known, event: ImageRegistered) -> Outcome | None:
    """Return the decision about this registration: stored beats rejected."""
    return known.get(stored_id(event.image_id)) or known.get(rejected_id(event.image_id, event.attempt))


def _decided(known: _Known, event: ImageRegistered) -> Outcome:
    outcome = _outcome(known, event)
    assert outcome is not None  # it was found, or made, in this transaction
    return outcome


async def _known(tables: Database | Transaction, events: Sequence[ImageRegistered]) -> _Known:
    ids = [stored_id(event.image_id) for event in events]
    ids += [rejected_id(event.image_id, event.attempt) for event in events]
    rows = await tables.fetch("SELECT event_id, sha256, event FROM ledger WHERE event_id = ANY($1)", ids)
    return {
        row["event_id"]: (ImageRejected if row["sha256"] is None else ImageStored).model_validate(row["event"])
        for row in rows
    }


async def _holders(tables: Database | Transaction, hashes: Sequence[str]) -> dict[str, UUID]:
    """Return the image that holds these bytes, by sha256."""
    rows = await tables.fetch("SELECT sha256, image_id FROM ledger WHERE sha256 = ANY($1)", hashes)
    return {row["sha256"]: row["image_id"] for row in rows}


async def _groups_of_before(transaction: Transaction, images: Sequence[AcceptedImage]) -> dict[str, list[str]]:
    """Return, by perceptual hash, the group of an image with the same one whose look is not known: it was stored by an
    earlier release, or the ledger is made anew from the log."""
    rows = await transaction.fetch(
        """SELECT perceptual_hash, group_id FROM ledger WHERE perceptual_hash = ANY($1)
           AND NOT EXISTS (SELECT FROM looks WHERE looks.image_id = ledger.image_id) AND NOT event ? 'joins'""",
        [image.perceptual_hash for image in images],
    )
    return {row["perceptual_hash"]: [row["group_id"]] for row in rows}
