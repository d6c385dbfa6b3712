"""Queries about the queues of Review: which images wait in each, and why."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from services.labeler.decisions import queue_reasons
from services.labeler.decisions.sampling import Candidate, reason, review_order
from services.labeler.decisions.votes import NO_VOTES, VoteRules
from services.labeler.queries.images import IMAGE, shown_prediction
from services.labeler.queries.kept_work import question_to, skipped_images
from services.labeler.queries.queue_queries import SEPARATOR, AskedQueue, QueueContext, queue_query
from services.labeler.queries.second_looks import second_looks
from services.labeler.queries.votes import voted_images
from services.labeler.queries.watching import drifted_since
from shared.clients.answers import DoubleCheck, ReviewItem, ReviewQueue
from shared.clients.review import QUEUES, QueueCount, QueueName
from shared.tables.database import Database
from shared.tables.postgres import Row

REVIEW_WINDOW = 200
"""How many of the least certain images are ordered; every request reads the queue from its beginning."""
COUNTED = 1_000
"""So many images of a queue are counted; of more it is said that they are more."""
_ORDER = """
(flagged IS NOT DISTINCT FROM 'unsure'), (trust = 'seed'), (disagrees IS NOT TRUE),
(CASE WHEN disagrees THEN -doubt ELSE doubt END), image_id
"""
"""As the index listed_to_review has it."""
_DOUBTFUL = f"""
WITH drifted AS (SELECT image_id FROM listed_images WHERE to_review AND stored_at >= $1 AND image_id <> ALL($3)
                 ORDER BY {_ORDER} LIMIT $2),
     usual AS (SELECT image_id FROM listed_images WHERE to_review AND image_id <> ALL($3) ORDER BY {_ORDER} LIMIT $2)
{IMAGE} WHERE image_id IN (SELECT image_id FROM drifted UNION SELECT image_id FROM usual)
"""  # noqa: S608 - constants


async def review_queue(
    database: Database, person: str, limit: int, now: datetime, asked: AskedQueue, taken: Collection[UUID] = ()
) -> ReviewQueue:
    """Return the next `limit` images of a queue for this person, without those that others have `taken`, and without
    what the person left for later, or voted about. Of "doubtful" all that wait are counted, those, too."""
    voted = await voted_images(database, person) if asked.rules.on else []
    skipped = [each for each in await skipped_images(database, person) if each not in set(voted)]
    away = [*_away(asked.queue, skipped, voted), *taken]
    if asked.queue == "doubtful":
        items = await _doubtful(database, limit, away, asked.names)
        waiting, more = await _count_all(database), False
    else:
        context = await _context(database, person, now, (asked.queue,))
        items, waiting, more = await _queued(database, context, limit, asked, away)
    question = await question_to(database, person)
    double_check = None if question is None else DoubleCheck(**asdict(question))
    if asked.blind:
        items = [item.model_copy(update={"prediction": None, "reason": queue_reasons.TO_VOTE}) for item in items]
    return ReviewQueue(
        items=items,
        waiting=waiting,
        more=more,
        skipped=len(skipped),
        double_check=double_check,
        blind=asked.blind,
    )


def _away(queue: QueueName, skipped: Sequence[UUID], voted: Sequence[UUID]) -> list[UUID]:
    """Return what a person need not see in a queue: what they left for later, and what they have voted about. Where
    people disagree, all who voted may settle it."""
    return [*([] if queue == "my_skipped" else skipped), *([] if queue == "people_disagree" else voted)]


async def count_queues(database: Database, person: str, now: datetime, rules: VoteRules = NO_VOTES) -> list[QueueCount]:
    """Return how many images wait in each queue for this person; "filter" is none that can be counted, and "to_vote"
    is there only while labels are voted about."""
    skipped = await skipped_images(database, person)
    voted = await voted_images(database, person) if rules.on else []
    context = await _context(database, person, now, QUEUES)
    counts = [QueueCount(queue="doubtful", waiting=await _count_all(database))]
    for queue in QUEUES:
        if queue not in ("doubtful", "filter") and (queue != "to_vote" or rules.on):
            away = _away(queue, skipped, voted)
            query, arguments = queue_query(AskedQueue(queue, rules=rules), context, away, COUNTED + 1)
            found = await database.fetchval(f"SELECT count(*) FROM ({query}) AS waiting", *arguments)  # noqa: S608
            counts.append(QueueCount(queue=queue, waiting=min(found, COUNTED), more=found > COUNTED))
    return counts


async def _context(database: Database, person: str, now: datetime, queues: Collection[QueueName]) -> QueueContext:
    drifted = await drifted_since(database) if "drifted" in queues else None
    looks = await second_looks(database, person, now) if "second_look" in queues else []
    return QueueContext(person, now, drifted, looks)


async def _doubtful(database: Database, limit: int, away: Sequence[UUID], names: Mapping[str, str]) -> list[ReviewItem]:
    drifted = await drifted_since(database)
    rows = await database.fetch(_DOUBTFUL, drifted, max(REVIEW_WINDOW, limit), list(away))
    return _ordered(rows, drifted, limit, names)


async def _queued(
    database: Database, context: QueueContext, limit: int, asked: AskedQueue, away: Sequence[UUID]
) -> tuple[list[ReviewItem], int, bool]:
    """Return the first images of a queue, how many there are, and whether they are more."""
    drifted = asked.queue == "drifted"
    query, arguments = queue_query(asked, context, away, COUNTED + 1)
    numbered = f"""
        WITH found AS MATERIALIZED (SELECT *, row_number() OVER () AS place FROM ({query}) AS queued)
        SELECT image_id, note, (SELECT count(*) FROM found) AS number FROM found ORDER BY place
        LIMIT {max(REVIEW_WINDOW, limit) if drifted else limit}
    """  # noqa: S608 - constants and numbers; values are arguments
    async with database.transaction() as transaction:
        await transaction.execute("SET LOCAL plan_cache_mode = force_custom_plan")  # values differ in how rare they are
        found = await transaction.fetch(numbered, *arguments)
    number = found[0]["number"] if found else 0
    rows = await database.fetch(f"{IMAGE} WHERE image_id = ANY($1::uuid[])", [row["image_id"] for row in found])
    if drifted:
        return _ordered(rows, context.drifted, limit, asked.names), min(number, COUNTED), number > COUNTED
    by_id = {row["image_id"]: row for row in rows if row["stored_at"] is not None}
    items = [
        _review_item(row, _reason(asked, row, each["note"]))
        for each in found
        if (row := by_id.get(each["image_id"])) is not None
    ]
    return items, min(number, COUNTED), number > COUNTED


def _ordered(rows: Sequence[Row], drifted: datetime | None, limit: int, names: Mapping[str, str]) -> list[ReviewItem]:
    by_id = {row["image_id"]: row for row in rows}
    ordered = review_order([_candidate(row, drifted) for row in rows], names)[:limit]
    return [_review_item(by_id[candidate.image_id], why) for candidate, why in ordered]


async def _count_all(database: Database) -> int:
    return int(await database.fetchval("SELECT coalesce(sum(number), 0) FROM listed_counts WHERE to_review"))


def _reason(asked: AskedQueue, row: Row, note: str | None) -> str:
    """Return why an image is in a queue."""
    queue = asked.queue
    if queue == "contradicts_data_set":
        return queue_reasons.of_data_set(asked.names.get(note or "", note or ""))
    if queue == "people_disagree":
        return queue_reasons.of_dispute((note or "").split(SEPARATOR), asked.names)
    if queue == "wrong_answers":
        return queue_reasons.of_wrong_answer(asked.names.get(note or "", note or ""))
    if queue == "set_aside":
        return queue_reasons.of_set_aside(note or "", asked.names)
    if queue in _SAID:
        return _SAID[queue]
    return queue_reasons.REVIEWED if row["trust"] == "reviewed" else reason(_candidate(row, None), asked.names)


_SAID: dict[QueueName, str] = {
    "second_look": queue_reasons.SECOND_LOOK,
    "my_skipped": queue_reasons.SKIPPED,
    "to_vote": queue_reasons.TO_VOTE,
}


def _candidate(row: Row, drifted_since: datetime | None) -> Candidate:
    unsure = row["no_label"] is not None
    seed = row["trust"] == "seed"
    drifted = drifted_since is not None and row["stored_at"] >= drifted_since
    return Candidate(row["image_id"], row["group_id"], row["label"], seed, row["probabilities"], unsure, drifted)


def _review_item(row: Row, why: str) -> ReviewItem:
    return ReviewItem(
        image_id=row["image_id"],
        label=row["label"],
        revision=row["revision"],
        trust=row["trust"],
        prediction=shown_prediction(row),
        reason=why,
        quarantined=bool(row["joins"]),
    )
