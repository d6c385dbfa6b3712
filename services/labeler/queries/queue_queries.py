"""The queries of Review's queues but the first: which images each holds, in its order, and a note about why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from services.labeler.decisions.votes import NO_VOTES, VoteRules
from services.labeler.queries.kept_work import LATER
from services.labeler.queries.listed_images import ORDERS, Conditions, conditions_of
from services.labeler.queries.votes import OPEN, SPLIT, condition
from shared.clients.browse import ImageFilter, Sort
from shared.clients.review import QueueName

NEW = timedelta(days=1)
SEPARATOR = "\x1f"
"""Between what several people say: no label has it."""
_LISTED = "SELECT image_id, NULL AS note FROM listed_images WHERE"
_DOUBTED = """
SELECT image_id, similar_label AS note
FROM label_doubts CROSS JOIN LATERAL (SELECT label, to_review FROM listed_images
                                      WHERE listed_images.image_id = label_doubts.image_id LIMIT 1) AS now
WHERE
"""
"""LIMIT: the images are looked up one by one, instead of reading all."""
_SET_ASIDE = """
SELECT image_id, sentence AS note
FROM set_aside CROSS JOIN LATERAL (SELECT held_revision, stored_at, withdrawn_at FROM images
                                   WHERE images.image_id = set_aside.image_id LIMIT 1) AS now
WHERE
"""
_IS_THERE = """
EXISTS (SELECT FROM images WHERE images.image_id = open_votes.image_id
        AND stored_at IS NOT NULL AND withdrawn_at IS NULL)
"""
_SAID = f"""
(SELECT image_id, said, people, disputed_at FROM disputes
 UNION ALL
 SELECT image_id, said, people, voted_at FROM open_votes
 WHERE {{split}} AND {_IS_THERE} AND NOT EXISTS (SELECT FROM disputes WHERE disputes.image_id = open_votes.image_id)
) AS disputes
"""  # noqa: S608 - constants
"""With votes that cannot decide any more."""
_WRONG = """
SELECT image_id, answered_label AS note
FROM (SELECT DISTINCT ON (images.image_id) images.image_id, answered_label, said_at
      FROM answer_feedback said JOIN images USING (sha256)
      WHERE said.label IS NULL AND said.revision = images.revision AND stored_at IS NOT NULL AND withdrawn_at IS NULL
      ORDER BY images.image_id, said_at) AS wrong
WHERE
"""
_NEWEST = "stored_at DESC, image_id DESC"


@dataclass(frozen=True)
class AskedQueue:
    """Which queue is asked for. `images` and `sort` say what "filter" holds; `names` what people call the labels;
    `rules` how many equal votes a label needs, and `show_model` whether who votes sees the model's answer."""

    queue: QueueName = "doubtful"
    images: ImageFilter = field(default_factory=ImageFilter)
    sort: Sort = "newest"
    names: Mapping[str, str] = field(default_factory=dict)
    rules: VoteRules = NO_VOTES
    show_model: bool = False

    @property
    def voting(self) -> bool:
        """Whether what is said about its images is a vote; where people disagree, one of them settles it."""
        return self.rules.on and self.queue != "people_disagree"

    @property
    def blind(self) -> bool:
        """Whether people decide without the model's answer."""
        return self.voting and not self.show_model


@dataclass(frozen=True)
class QueueContext:
    """What a queue depends on besides the tables: who asks and when, since when pictures are others, and which
    decisions another person has to look at."""

    person: str
    now: datetime
    drifted: datetime | None
    looks: Sequence[UUID]


def queue_query(asked: AskedQueue, context: QueueContext, away: Sequence[UUID], limit: int) -> tuple[str, list[object]]:
    """Return the query for the images of a queue, in its order, without those that are `away`: image_id and a note
    about why; and its arguments."""
    where = Conditions() if asked.queue != "filter" else conditions_of(asked.images)
    where.add("image_id <> ALL({}::uuid[])", list(away))
    select, order = _QUERIES[asked.queue](where, asked, context)
    return f"{select} {where.where} ORDER BY {order} LIMIT {limit}", where.arguments


_Build = Callable[[Conditions, AskedQueue, QueueContext], tuple[str, str]]


def _contradicts_label(where: Conditions, _asked: AskedQueue, _context: QueueContext) -> tuple[str, str]:
    where.add("to_review AND disagrees AND contradiction >= 0")
    return _LISTED, "contradiction DESC, image_id DESC"


def _contradicts_data_set(where: Conditions, _asked: AskedQueue, _context: QueueContext) -> tuple[str, str]:
    where.add("to_review AND now.label = label_doubts.label")
    return _DOUBTED, "doubt DESC, image_id"


def _to_vote(where: Conditions, asked: AskedQueue, context: QueueContext) -> tuple[str, str]:
    """Those with votes of others: the most votes first, then those that wait for longest."""
    where.add(condition(OPEN, asked.rules) if asked.rules.on else "false")
    where.add("NOT people @> ARRAY[{}::text]", context.person)
    select = f"SELECT image_id, NULL AS note FROM open_votes WHERE {_IS_THERE} AND"  # noqa: S608 - constants
    return select, "number DESC, begun_at, image_id"


def _people_disagree(where: Conditions, asked: AskedQueue, context: QueueContext) -> tuple[str, str]:
    """First those about which this person has not spoken."""
    where.add("{}::text IS NOT NULL", context.person)
    said = _SAID.format(split=condition(SPLIT, asked.rules)) if asked.rules.on else "disputes"
    select = f"SELECT image_id, array_to_string(said, chr(31)) AS note FROM {said} WHERE"  # noqa: S608 - constants
    return select, f"(${len(where.arguments)} = ANY(people)), disputed_at DESC, image_id"


def _wrong_answers(_where: Conditions, _asked: AskedQueue, _context: QueueContext) -> tuple[str, str]:
    return _WRONG, "said_at, image_id"


def _second_look(where: Conditions, _asked: AskedQueue, context: QueueContext) -> tuple[str, str]:
    where.add("image_id = ANY({}::uuid[])", list(context.looks))
    order = f"array_position(${len(where.arguments)}::uuid[], image_id)"
    return "SELECT image_id, NULL AS note FROM images WHERE", order


def _set_aside(where: Conditions, _asked: AskedQueue, _context: QueueContext) -> tuple[str, str]:
    where.add("set_aside.revision = now.held_revision AND stored_at IS NOT NULL AND withdrawn_at IS NULL")
    where.add(
        "NOT EXISTS (SELECT FROM live_corrections live"
        " WHERE (live.image_id, live.revision) = (set_aside.image_id, set_aside.revision))"
    )
    return _SET_ASIDE, "set_aside_at DESC, image_id"


def _drifted(where: Conditions, _asked: AskedQueue, context: QueueContext) -> tuple[str, str]:
    where.add("to_review AND stored_at >= {}::timestamptz", context.drifted)
    return _LISTED, _NEWEST


def _new_today(where: Conditions, _asked: AskedQueue, context: QueueContext) -> tuple[str, str]:
    where.add("to_review AND stored_at >= {}::timestamptz", context.now - NEW)
    return _LISTED, _NEWEST


def _my_skipped(where: Conditions, _asked: AskedQueue, context: QueueContext) -> tuple[str, str]:
    where.add("person = {}", context.person)
    return f"SELECT image_id, NULL AS note FROM {LATER} AND", "skipped_at, image_id"  # noqa: S608 - constant


def _of_filter(where: Conditions, asked: AskedQueue, context: QueueContext) -> tuple[str, str]:
    """What the person has decided about is done."""
    where.add("(trust <> 'reviewed' OR decided_by IS DISTINCT FROM {})", context.person)
    column, direction = ORDERS[asked.sort]
    return _LISTED, f"{column} {direction}, image_id {direction}"


_QUERIES: dict[QueueName, _Build] = {
    "to_vote": _to_vote,
    "contradicts_label": _contradicts_label,
    "contradicts_data_set": _contradicts_data_set,
    "people_disagree": _people_disagree,
    "wrong_answers": _wrong_answers,
    "second_look": _second_look,
    "drifted": _drifted,
    "set_aside": _set_aside,
    "new_today": _new_today,
    "my_skipped": _my_skipped,
    "filter": _of_filter,
}
