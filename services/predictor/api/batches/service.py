"""What a replica does for batches: accepts them, and shows how far they are."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from services.predictor.api.batches.bodies import BatchBody, BatchPredictionBody, NameOf, batch_body, prediction_body
from services.predictor.api.batches.submission import Submissions
from services.predictor.api.batches.unpacking import AT_ONCE, Unpacking
from services.predictor.api.batches.zips import ZipLimits
from services.predictor.data.batches import BatchPrediction, BatchProgress, BatchTables, Completion
from services.predictor.decisions.batches import callback_secret
from services.predictor.settings import CALLBACK_HOSTS
from shared.http.problems import Problem
from shared.runtime.telemetry import logger
from shared.tables.lookups import TablesAway
from shared.web.webhooks import refuse_webhook

T = TypeVar("T")

ASK_AGAIN_SECONDS = 2
LOOK_EVERY_SECONDS = 0.5
"""Between two looks for finished predictions; each asks the table once for a follower."""
COMPLETIONS_AT_ONCE = 500
FOLLOWERS = 64
"""So many clients follow batches at one replica at most."""


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """`limits` of what a request brings; `days`: how long batches are kept. `callback_secret`: from which the keys of
    callbacks come, empty: there are none. `callback_hosts`: hosts that may be told although they are private."""

    limits: ZipLimits
    days: int = 14
    callback_secret: str = field(default="", repr=False)
    callback_hosts: tuple[str, ...] = ()

    def check_callback(self, url: str | None, requested_by: str) -> str | None:
        """Return the key that signs a callback to this client; None without one. Raises Problem (422) if it may not be
        sent there."""
        if url is None:
            return None
        if not self.callback_secret:
            detail = "This predictor sends no callbacks (PAPPUS_CALLBACK_SECRET). Follow links.events instead."
            raise Problem(422, "no_callbacks", detail)
        if (why := refuse_webhook(url, self.callback_hosts, CALLBACK_HOSTS)) is not None:
            raise Problem(422, "address_forbidden", why)
        return callback_secret(self.callback_secret, requested_by)


class BatchService:
    """Accepts batches with `submissions`, and reads `tables`; None: none are accepted, or kept where this replica
    knows."""

    def __init__(
        self, submissions: Submissions | None, tables: BatchTables | None, settings: BatchSettings, name_of: NameOf
    ) -> None:
        self._submissions = submissions
        self.settings = settings
        self._tables = tables
        self._name_of = name_of
        self._followers = 0
        self._turns = asyncio.Semaphore(AT_ONCE)

    def unpacking(self) -> Unpacking:
        """Return what unpacks the archives of one request."""
        return Unpacking(self.settings.limits, self._turns)

    @property
    def submissions(self) -> Submissions:
        """What accepts batches. Raises Problem (503) if this replica accepts none."""
        if self._submissions is None:
            raise Problem(503, "unavailable", "This replica accepts no batches. Ask another one.")
        return self._submissions

    async def progress(self, batch_id: UUID) -> BatchProgress:
        """Return how far a batch is. Raises Problem: 404 if there is none, 503 while the tables cannot be asked."""
        found = await self._ask(self._known().find_batch(batch_id))
        if found is None:
            raise Problem(
                404,
                "unknown_batch",
                f"There is no batch {batch_id}. One is here within a second or so after it was accepted, and for"
                f" {self.settings.days} days.",
            )
        return found

    async def page(self, batch_id: UUID, after: int, limit: int) -> BatchBody:
        """Return a batch with its predictions behind the index `after`. Raises Problem as `progress`."""
        progress = await self.progress(batch_id)
        found = await self._ask(self._known().list_predictions(batch_id, after, limit + 1))
        page = [self.body(one) for one in found[:limit]]
        return batch_body(progress, page, found[limit - 1].index if len(found) > limit else None)

    async def follow(self, batch_id: UUID, after: int) -> AsyncIterator[Completion | BatchProgress]:
        """Yield the finished predictions of a batch behind the number `after`, as they are finished, and the whole
        batch once there are no more. While PostgreSQL is away this ends before that: a client comes back with the last
        number."""
        self._followers += 1
        try:
            while True:
                # In this order: what is finished or numbered between two questions is found by the next look.
                whole = await self._whole(batch_id)
                found = await self._ask(self._known().list_completions(batch_id, after, COMPLETIONS_AT_ONCE))
                for completion in found:
                    after = completion.number
                    yield completion
                if len(found) < COMPLETIONS_AT_ONCE:
                    if whole is not None:
                        yield whole
                        return
                    await asyncio.sleep(LOOK_EVERY_SECONDS)
        except Problem as problem:
            logger.warning("a batch cannot be followed on", batch_id=str(batch_id), reason=problem.detail)
        finally:
            self._followers -= 1

    async def _whole(self, batch_id: UUID) -> BatchProgress | None:
        """Return a batch that is finished and of which each prediction has its number; None before. Raises Problem as
        `progress`."""
        if await self._ask(self._known().has_waiting(batch_id)):
            return None
        progress = await self.progress(batch_id)
        if not progress.finished:
            return None
        return progress if await self._ask(self._known().count_numbered(batch_id)) >= progress.size else None

    def check_room(self) -> None:
        """Raise Problem (503) if too many clients follow batches here."""
        if self._followers >= FOLLOWERS:
            detail = f"{FOLLOWERS} clients follow batches at this replica. Ask GET /batches/{{id}}, or again later."
            raise Problem(503, "overloaded", detail, retry_after_seconds=ASK_AGAIN_SECONDS)

    async def _ask(self, question: Awaitable[T]) -> T:
        try:
            return await question
        except TablesAway as error:
            raise _away(error) from error

    def body(self, prediction: BatchPrediction) -> BatchPredictionBody:
        """Return the body of a prediction."""
        return prediction_body(prediction, self._name_of)

    def _known(self) -> BatchTables:
        if self._tables is None:
            raise _away(None)
        return self._tables


def _away(error: TablesAway | None) -> Problem:
    if error is None:
        what = "This replica knows no PostgreSQL (PAPPUS_DATABASE_URL), where batches are shown from."
    else:
        logger.warning("a batch could not be looked up", reason=str(error))
        what = "PostgreSQL, where batches are shown from, does not answer this replica."
    detail = f"{what} What was accepted is answered all the same. Ask again in a moment."
    return Problem(503, "store_unavailable", detail, retry_after_seconds=ASK_AGAIN_SECONDS)
