"""Queries about the people who may log in, and what each of them decided."""

from datetime import datetime, timedelta

from shared.clients.people import PersonView, WorkDone
from shared.tables.database import Database
from shared.tables.postgres import Row

_PEOPLE = "SELECT name, role, made_by, made_at, disabled_at, issuer FROM users"
_WORK = """
WITH decided AS (
    SELECT corrected_by, voters, occurred_at, label_to, no_label, held_revision = revision AS decides,
           lead(corrected_by) OVER of_image AS next_by, lead(voters) OVER of_image AS next_voters,
           lead(label_to) OVER of_image AS next_label,
           lead(no_label) OVER of_image AS next_no_label,
           occurred_at - lag(occurred_at) OVER (PARTITION BY corrected_by ORDER BY occurred_at) AS gap
    FROM label_history
    WHERE applied AND ($2::text IS NULL OR image_id IN (
        SELECT image_id FROM label_history WHERE corrected_by = $2
        UNION ALL SELECT image_id FROM label_history WHERE voters <> '{}' AND voters @> ARRAY[$2::text]))
    WINDOW of_image AS (PARTITION BY image_id ORDER BY revision)
), told AS (
    SELECT *, next_by <> name AND NOT name = ANY(next_voters) AS looked_at,
           (next_label, next_no_label) IS DISTINCT FROM (label_to, no_label) AS differs
    FROM decided
    CROSS JOIN LATERAL unnest(CASE WHEN voters = '{}' THEN ARRAY[corrected_by] ELSE voters END) AS name
    WHERE decides
)
SELECT name, count(*) AS decided, count(*) FILTER (WHERE occurred_at > $1) AS today,
       count(*) FILTER (WHERE looked_at AND NOT differs) AS confirmed,
       count(*) FILTER (WHERE looked_at AND differs) AS overturned,
       max(occurred_at) AS last_at,
       extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY gap) FILTER (WHERE gap < interval '1 minute'))
           AS seconds_each
FROM told WHERE $2::text IS NULL OR name = $2 GROUP BY name
"""
"""What each person decided, or one: then only the images that this person decided about are read."""
_VOTES = """
SELECT voted_by AS name, count(*) AS votes
FROM votes WHERE stands AND no_label IS DISTINCT FROM 'withdrawn'
AND ($1::text IS NULL OR voted_by = $1) GROUP BY voted_by
"""


async def all_people(database: Database, now: datetime) -> list[PersonView]:
    """Return everyone who may log in or once could, by name, with what they decided up to `now`."""
    work = await _work_of(database, now)
    rows = await database.fetch(f"{_PEOPLE} ORDER BY name")
    return [PersonView(**row, work=work.get(row["name"], WorkDone())) for row in rows]


async def find_person(database: Database, name: str, now: datetime) -> PersonView | None:
    """Return one of them; None if there is no such account."""
    row = await database.fetchrow(f"{_PEOPLE} WHERE name = $1", name)
    if row is None:
        return None
    return PersonView(**row, work=(await _work_of(database, now, name)).get(name, WorkDone()))


async def _work_of(database: Database, now: datetime, name: str | None = None) -> dict[str, WorkDone]:
    rows = await database.fetch(_WORK, now - timedelta(days=1), name)
    work = {row["name"]: _work(row) for row in rows}
    for row in await database.fetch(_VOTES, name):
        known = work.get(row["name"], WorkDone())
        work[row["name"]] = known.model_copy(update={"votes": row["votes"]})
    return work


def _work(row: Row) -> WorkDone:
    seconds = row["seconds_each"]
    return WorkDone(
        decided=row["decided"],
        today=row["today"],
        confirmed=row["confirmed"],
        overturned=row["overturned"],
        seconds_each=None if seconds is None else float(seconds),
        last_at=row["last_at"],
    )
