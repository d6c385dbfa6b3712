"""Queries about what one person decided."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from uuid import UUID

from services.labeler.decisions.taking_out import Revision, decision_without, fate, held_label, still_holds
from services.labeler.queries.votes import voted_images
from shared.clients.lineage import DecisionsOf, HoldingDecision
from shared.tables.database import Database
from shared.tables.postgres import Row

_APPLIED = """
SELECT history.*, images.stored_label, images.stored_trust, images.withdrawn_at
FROM label_history history JOIN images USING (image_id)
WHERE history.applied
"""
_VOTED = "voters <> '{}' AND voters @> ARRAY[$1::text]"
TRUSTED = ("seed", "reviewed")


async def decisions_of(database: Database, person: str, limit: int, open_votes: bool = False) -> DecisionsOf:
    """Return what this person decided, with at most `limit` of what still holds, the newest first; with `open_votes`
    also the images about which they voted and that are not decided."""
    rows = await database.fetch(
        f"""{_APPLIED} AND image_id IN (SELECT image_id FROM label_history WHERE corrected_by = $1 AND applied
                                        UNION ALL SELECT image_id FROM label_history WHERE {_VOTED} AND applied)
            ORDER BY image_id, revision""",  # noqa: S608 - constant
        person,
    )
    superseded = await database.fetchval(
        "SELECT count(*) FROM label_history WHERE corrected_by = $1 AND NOT applied", person
    )
    counts: Counter[str] = Counter()
    held: list[HoldingDecision] = []
    for _, of_image in groupby(rows, key=lambda row: row["image_id"]):
        history = list(of_image)
        revisions = [_revision(row) for row in history]
        for row, revision in zip(history, revisions, strict=True):
            if revision.is_by(person):
                counts.update(_said(person, row, revision, revisions))
        if still_holds(person, revisions) and history[0]["withdrawn_at"] is None:
            held.append(_holding(person, history, revisions))
    held.sort(key=lambda each: (each.decided_at, each.image_id), reverse=True)
    voted = await voted_images(database, person) if open_votes else []
    version, in_service = await _in_service(database, person)
    return DecisionsOf(
        name=person,
        corrections=counts["corrections"],
        withdrawals=counts["withdrawals"],
        superseded=superseded,
        holding=len(held),
        confirmed=counts["confirmed"],
        overturned=counts["overturned"],
        changed=counts["changed"],
        contradict_model=counts["model"],
        contradict_data_set=counts["data set"],
        contradict_both=counts["both"],
        version=version,
        in_service=in_service,
        held=held[:limit],
        voted=tuple(voted),
    )


async def revisions_of(database: Database, image_id: UUID) -> list[Revision]:
    """Return every applied revision of an image, from 1 on."""
    return [_revision(row) for row in await database.fetch(f"{_APPLIED} AND image_id = $1 ORDER BY revision", image_id)]


async def _in_service(database: Database, person: str) -> tuple[str | None, int]:
    """Return the version in service, None before the first, and how many corrections of this person it holds."""
    row = await database.fetchrow(
        """SELECT version, (
               SELECT count(*)
               FROM held_corrections(models.version) AS held
               JOIN label_history USING (image_id, revision) WHERE applied
                 AND (corrected_by = $1 OR voters @> ARRAY[$1::text])) AS corrections
           FROM promotions JOIN models USING (version) WHERE counts ORDER BY sequence DESC LIMIT 1""",
        person,
    )
    return (None, 0) if row is None else (row["version"], row["corrections"])


def _revision(row: Row) -> Revision:
    return Revision(
        row["event_id"],
        row["revision"],
        row["corrected_by"],
        row["held_revision"],
        row["label_to"],
        row["no_label"],
        tuple(row["voters"]),
    )


def _said(person: str, row: Row, revision: Revision, revisions: Sequence[Revision]) -> list[str]:
    """Return what is counted about one revision of the person."""
    if revision.is_withdrawal:
        return ["withdrawals"]
    model = None not in (row["label_to"], row["shown_label"]) and row["label_to"] != row["shown_label"]
    given = row["stored_label"] if row["stored_trust"] in TRUSTED else None
    data_set = None not in (row["label_to"], given) and row["label_to"] != given
    contradicted = {"model": model, "data set": data_set, "both": model and data_set}
    return [
        "corrections",
        fate(person, revisions, revision.revision),
        *(what for what, is_so in contradicted.items() if is_so),
    ]


def _holding(person: str, history: Sequence[Row], revisions: Sequence[Revision]) -> HoldingDecision:
    """Return what of this person holds for an image, and what would hold without it."""
    newest = revisions[-1]
    theirs = newest.held_revision
    if not theirs or not revisions[theirs - 1].is_by(person):  # a withdrawal of theirs
        theirs = max(each.revision for each in revisions if each.is_by(person))
    row = history[theirs - 1]
    restored = held_label(revisions, decision_without(person, revisions))
    return HoldingDecision(
        image_id=row["image_id"],
        revision=newest.revision,
        decided_in=theirs,
        label=row["label_to"],
        no_label=row["no_label"],
        decided_at=row["occurred_at"],
        reason=row["reason"],
        shown_label=row["shown_label"],
        data_set_label=row["stored_label"] if row["stored_trust"] in TRUSTED else None,
        label_without=row["stored_label"] if restored is None else restored.label,
    )
