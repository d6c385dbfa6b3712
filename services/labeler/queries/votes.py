"""Queries about votes: whose stand, which count for the next revision of an image, and which have decided."""

from collections.abc import Sequence
from uuid import UUID

from services.labeler.decisions.votes import VoteRules
from shared.tables.database import Database
from shared.tables.postgres import Row

OPEN = (
    "((most < {needed} AND most + {at_most} - number >= {needed})"
    " OR (most >= {needed} AND ahead > 1 AND number < {at_most}))"
)
"""Of open_votes: another vote may decide, as `decisions/votes.py` says."""
SPLIT = (
    "((most < {needed} AND most + {at_most} - number < {needed})"
    " OR (most >= {needed} AND ahead > 1 AND number >= {at_most}))"
)
DECIDED = "(most >= {needed} AND ahead = 1)"
_WHICH_COUNT = """
SELECT votes.* FROM votes JOIN open_votes USING (image_id) JOIN images USING (image_id)
WHERE stands AND votes.no_label IS DISTINCT FROM 'withdrawn'
  AND votes.revision BETWEEN coalesce(images.votes_from, images.revision + 1, 1) AND open_votes.revision
"""
AT_ONCE = 200
"""So many decisions are published at once."""


def condition(of: str, rules: VoteRules) -> str:
    """Return OPEN, SPLIT or DECIDED with these numbers."""
    return of.format(needed=int(rules.needed), at_most=int(rules.at_most))


async def rounds_of(database: Database, image_ids: Sequence[UUID], rules: VoteRules) -> dict[UUID, Row]:
    """Return of these images the rounds that have votes, by image: the row of open_votes, and whether it is `split`."""
    rows = await database.fetch(
        f"SELECT *, {condition(SPLIT, rules)} AS split FROM open_votes WHERE image_id = ANY($1::uuid[])",  # noqa: S608 - numbers
        image_ids,
    )
    return {row["image_id"]: row for row in rows}


async def votes_by(database: Database, image_ids: Sequence[UUID], person: str) -> dict[UUID, list[Row]]:
    """Return every vote of this person about these images, by image."""
    found: dict[UUID, list[Row]] = {}
    for row in await database.fetch(
        "SELECT * FROM votes WHERE image_id = ANY($1::uuid[]) AND voted_by = $2", image_ids, person
    ):
        found.setdefault(row["image_id"], []).append(row)
    return found


async def shown_votes(database: Database, event_ids: Sequence[UUID]) -> list[UUID]:
    """Return which of these votes the tables show."""
    rows = await database.fetch("SELECT event_id FROM votes WHERE event_id = ANY($1::uuid[])", event_ids)
    return [row["event_id"] for row in rows]


async def voted_images(database: Database, person: str) -> list[UUID]:
    """Return the images about which a vote of this person counts, and which are not decided."""
    rows = await database.fetch("SELECT image_id FROM open_votes WHERE people @> ARRAY[$1]", person)
    return [row["image_id"] for row in rows]


async def counting_votes(database: Database, image_ids: Sequence[UUID]) -> dict[UUID, list[Row]]:
    """Return the votes that count for the next revision of these images, by image and in an order that is always the
    same."""
    found: dict[UUID, list[Row]] = {}
    for row in await database.fetch(
        f"{_WHICH_COUNT} AND image_id = ANY($1::uuid[]) ORDER BY votes.voted_at, votes.event_id", image_ids
    ):
        found.setdefault(row["image_id"], []).append(row)
    return found


async def decided_rounds(database: Database, rules: VoteRules) -> list[Row]:
    """Return the images whose votes have decided, and for which the tables show no decision yet: image_id, the revision
    and the label that holds until then. The first AT_ONCE."""
    return await database.fetch(
        f"""SELECT image_id, open_votes.revision, now.label
            FROM open_votes
            CROSS JOIN LATERAL (SELECT label, state.stored_at, state.withdrawn_at FROM current_images state
                                WHERE state.image_id = open_votes.image_id LIMIT 1) AS now
            WHERE {condition(DECIDED, rules)} AND stored_at IS NOT NULL AND withdrawn_at IS NULL
            ORDER BY most DESC, begun_at, image_id LIMIT {AT_ONCE}"""  # noqa: S608 - numbers
    )


async def decided_by_votes(database: Database, image_id: UUID, revision: int) -> bool:
    """Return whether several people decided this revision by their votes."""
    query = (
        "SELECT EXISTS (SELECT FROM label_history WHERE image_id = $1 AND revision = $2 AND applied AND voters <> '{}')"
    )
    return bool(await database.fetchval(query, image_id, revision))


async def has_say(database: Database, image_id: UUID, person: str, decided_in: int) -> bool:
    """Return whether a vote of this person counts for the next revision, or decided the one that holds."""
    return bool(
        await database.fetchval(
            """SELECT EXISTS (SELECT FROM open_votes WHERE image_id = $1 AND people @> ARRAY[$2])
                   OR EXISTS (SELECT FROM label_history JOIN votes USING (image_id)
                              WHERE image_id = $1 AND label_history.revision = $3 AND applied AND voters @> ARRAY[$2]
                                AND voted_by = $2 AND stands AND votes.no_label IS DISTINCT FROM 'withdrawn')""",
            image_id,
            person,
            decided_in,
        )
    )


async def counted_from(database: Database, image_id: UUID, revision: int) -> int | None:
    """Return the first revision whose votes counted for the decision of this one; None if no votes decided it."""
    found: int | None = await database.fetchval(
        """SELECT coalesce(before.votes_from, decision.revision)
           FROM label_history decision
           LEFT JOIN label_history before
                  ON before.image_id = decision.image_id AND before.revision = decision.revision - 1 AND before.applied
           WHERE decision.image_id = $1 AND decision.revision = $2 AND decision.applied AND decision.voters <> '{}'""",
        image_id,
        revision,
    )
    return found
