"""The ledger of the fetcher: a decision is written before it is published, and found again when its input comes again.

Which image was first with some bytes, and which group an image belongs to, depends on earlier decisions; so images are
stored one at a time, under a lock, and each image is decided about under a lock of its own.
"""

from services.ingestor.data import tombstones
from services.ingestor.decisions.images import AcceptedImage
from services.ingestor.decisions.outcomes import Outcome, duplicate, rejected, rejected_id, stored, stored_id
from services.ingestor.decisions.rejection import Rejection
from services.ingestor.decisions.withdrawn import WithdrawnBytes
from shared.contract.events import ImageRegistered, ImageRejected, ImageStored, ImageWithdrawn
from shared.runtime.clock import Clock
from shared.tables.database import Database, Transaction


class Ledger:
    """The table `ledger` of the ingestor's schema. Every method raises TransientError when PostgreSQL is away."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def outcome(self, event: ImageRegistered) -> Outcome | None:
        """Return the decision about this registration (image stored, or this attempt rejected), None without one."""
        return await _outcome(self._database, event)

    async def refusal(self, event: ImageRegistered, sha256: str | None = None) -> Rejection | None:
        """Return why this image, or these bytes, are not taken: a person withdrew them. None if they were not."""
        return await tombstones.refuse(self._database, event.image_id, sha256)

    async def withdraw(self, event: ImageWithdrawn) -> None:
        """Take the image back: no later decision stores it, or its bytes."""
        async with self._database.transaction() as transaction:
            await self._lock(transaction, "ledger")
            await tombstones.enter(transaction, event)

    async def store(self, event: ImageRegistered, image: AcceptedImage) -> Outcome:
        """Decide that the image is stored, or rejected if another image holds its bytes; an earlier decision stands.
        Raises WithdrawnBytes, and decides nothing, for bytes that were withdrawn."""
        async with self._database.transaction() as transaction:
            await self._lock(transaction, str(event.image_id))
            await self._lock(transaction, "ledger")
            known = await _outcome(transaction, event)
            if known is not None:
                return known
            refusal = await tombstones.refuse(transaction, event.image_id, image.sha256)
            if refusal is not None:
                raise WithdrawnBytes(refusal)
            holder = await transaction.fetchval("SELECT image_id FROM ledger WHERE sha256 = $1", image.sha256)
            outcome: Outcome
            if holder is not None:
                outcome = rejected(event, duplicate(holder), self._clock())
            else:
                group_id = await _group_of(transaction, image) or str(event.image_id)
                outcome = stored(event, image, group_id, self._clock())
            await enter(transaction, outcome)
            return outcome

    async def reject(self, event: ImageRegistered, rejection: Rejection) -> Outcome:
        """Decide that this attempt is rejected; an earlier decision stands."""
        async with self._database.transaction() as transaction:
            await self._lock(transaction, str(event.image_id))
            known = await _outcome(transaction, event)
            if known is not None:
                return known
            outcome = rejected(event, rejection, self._clock())
            await enter(transaction, outcome)
            return outcome

    async def _lock(self, transaction: Transaction, what: str) -> None:
        """Wait for the others that decide about one image, or about stored bytes, until the transaction ends. A
        rejection waits for no stored image, and an upload not for thousands of rows that are rejected."""
        name = f"{self._database.schema}.{what}"
        await transaction.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name)


async def enter(transaction: Transaction, outcome: Outcome) -> None:
    """Write a decision; an earlier one stays as it is.

    Both the handler and the projection write: the handler before it publishes, so that a repetition decides alike, and
    the projection from the log, so that a ledger that was lost knows stored bytes again and rejects their duplicates.
    An image that was withdrawn is not entered as stored again.
    """
    image = outcome if isinstance(outcome, ImageStored) else None
    await transaction.execute(
        """INSERT INTO ledger (event_id, image_id, event, sha256, perceptual_hash, group_id)
           SELECT $1, $2, $3, $4, $5, $6
           WHERE $4::text IS NULL OR NOT EXISTS (SELECT FROM tombstones t WHERE t.image_id = $2)
           ON CONFLICT DO NOTHING""",
        outcome.event_id,
        outcome.image_id,
        outcome.model_dump(mode="json"),
        image and image.sha256,
        image and image.perceptual_hash,
        image and image.group_id,
    )


async def _outcome(tables: Database | Transaction, event: ImageRegistered) -> Outcome | None:
    ids = [stored_id(event.image_id), rejected_id(event.image_id, event.attempt)]
    rows = await tables.fetch("SELECT event_id, event FROM ledger WHERE event_id = ANY($1)", ids)
    events = {row["event_id"]: row["event"] for row in rows}
    if ids[0] in events:
        return ImageStored.model_validate(events[ids[0]])
    if ids[1] in events:
        return ImageRejected.model_validate(events[ids[1]])
    return None


async def _group_of(transaction: Transaction, image: AcceptedImage) -> str | None:
    """Return the group of images that look like this one, None for a new group. Only equal hashes count as alike so
    far; a search for near hashes would replace this query and nothing else."""
    group: str | None = await transaction.fetchval(
        "SELECT group_id FROM ledger WHERE perceptual_hash = $1 LIMIT 1", image.perceptual_hash
    )
    return group
