"""Queries about images and their labels."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.labeler.queries.conflicts import conflicts_of_image
from services.labeler.queries.quarantine import with_resembled
from shared.clients.answers import (
    HistoryEntry,
    ImageView,
    LabelConflict,
    Rejection,
    ShownPrediction,
    WithdrawalView,
)
from shared.contract.events import HeldLabel
from shared.tables.database import Database
from shared.tables.postgres import Row

IMAGE = """
SELECT images.*, predictions.prediction_id, predictions.label AS predicted_label, probabilities, model_version
FROM current_images images LEFT JOIN predictions USING (image_id)
"""


async def image(database: Database, image_id: UUID) -> ImageView | None:
    """Return one image; None if no event names it."""
    row = await database.fetchrow(f"{IMAGE} WHERE image_id = $1", image_id)
    return None if row is None else _image(row)


async def images_of(database: Database, image_ids: Sequence[UUID]) -> dict[UUID, ImageView]:
    """Return those of these images that an event names, by id."""
    rows = await database.fetch(f"{IMAGE} WHERE image_id = ANY($1::uuid[])", image_ids)
    return {row["image_id"]: _image(row) for row in rows}


async def images_of_bytes(database: Database, sha256: str) -> list[ImageView]:
    """Return the images stored with these bytes, or withdrawn: none or one, since a second one is rejected."""
    where = "WHERE sha256 = $1 OR withdrawn_sha256 = $1 ORDER BY stored_at"
    return [_image(row) for row in await database.fetch(f"{IMAGE} {where}", sha256)]


async def quarantined_images(database: Database, limit: int) -> list[ImageView]:
    """Return images that resemble images on both sides of the split, the newest first, with those that they
    resemble."""
    where = "WHERE joins <> '{}' AND withdrawn_at IS NULL ORDER BY stored_at DESC, image_id LIMIT $1"
    return await with_resembled(database, [_image(row) for row in await database.fetch(f"{IMAGE} {where}", limit)])


async def object_key(database: Database, image_id: UUID) -> tuple[str, str] | None:
    """Return the object key and the format of a stored image; None if it is not stored, or was withdrawn."""
    row = await database.fetchrow(
        "SELECT object_key, image_format FROM images WHERE image_id = $1 AND withdrawn_at IS NULL", image_id
    )
    return None if row is None or row["object_key"] is None else (row["object_key"], row["image_format"])


_OBEYED = """
WITH holding AS MATERIALIZED (SELECT * FROM models_holding(history.image_id))
SELECT version, greatest(promoted_at, history.occurred_at) AS live_at
FROM promotions JOIN models USING (version)
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(held.revision = history.held_revision), false) AS restored,
           coalesce(bool_or(held.revision <= history.revision AND held.revision <> history.held_revision), false)
               AS obsolete
    FROM holding AS held WHERE held.version = models.version) AS known
WHERE counts AND NOT known.obsolete AND (history.held_label IS NULL OR known.restored)
  AND sequence >= (SELECT coalesce(max(sequence), 1) FROM promotions
                   WHERE counts AND promoted_at <= history.occurred_at)
ORDER BY sequence LIMIT 1
"""
"""For a row of the history that takes a label away: the first model in service since that does not hold it."""


async def history(database: Database, image_id: UUID) -> list[HistoryEntry] | None:
    """Return every revision of the label, from 0 on, superseded ones after the applied one; None for an unknown
    image."""
    first = await database.fetchrow(
        """SELECT coalesce(registered_event_id, stored_event_id) AS event_id,
                  coalesce(stored_label, registered_label) AS label_to,
                  coalesce(registered_by, stored_by) AS corrected_by,
                  coalesce(registered_at, stored_at) AS occurred_at
           FROM images WHERE image_id = $1""",
        image_id,
    )
    if first is None:
        return None
    rows = await database.fetch(
        f"""SELECT history.*, coalesce(live.version, obeyed.version) AS live_in,
                  coalesce(live.live_at, obeyed.live_at) AS live_at, set_aside.sentence
           FROM label_history history
           LEFT JOIN live_corrections live USING (image_id, revision)
           LEFT JOIN LATERAL ({_OBEYED}) obeyed ON history.no_label IS NOT NULL
           LEFT JOIN set_aside USING (image_id, revision)
           WHERE image_id = $1 ORDER BY revision, NOT applied, occurred_at, event_id""",  # noqa: S608 - constant
        image_id,
    )
    start = HistoryEntry(
        **dict(first),
        revision=0,
        label_from=None,
        reason="",
        shown_model_version=None,
        shown_label=None,
        state="applied",
        live_in=None,
        live_at=None,
        set_aside=None,
    )
    conflicts = await conflicts_of_image(database, image_id)
    return [start, *(_revision(row, conflicts) for row in rows)]


_CORRECTION = """
SELECT history.*, images.label AS current_label, images.revision AS current_revision, images.corrected_by AS current_by
FROM label_history history
JOIN current_images images USING (image_id)
"""


async def correction(database: Database, event_id: UUID) -> Row | None:
    """Return the correction with this event id, with the current label (current_*); None if the tables do not show
    it."""
    return await database.fetchrow(f"{_CORRECTION} WHERE history.event_id = $1", event_id)


async def corrections(database: Database, event_ids: Sequence[UUID]) -> list[Row]:
    """Return those of these corrections that the tables show, in the form of `correction`."""
    return await database.fetch(f"{_CORRECTION} WHERE history.event_id = ANY($1::uuid[])", event_ids)


async def decision_before(database: Database, image_id: UUID, revision: int) -> HeldLabel | None:
    """Return the decision that held before that of this applied revision: what its withdrawal restores; None if there
    was none."""
    row = await database.fetchrow(
        """SELECT decision.revision, decision.label_to AS label, decision.no_label
           FROM label_history before
           JOIN label_history decision ON decision.image_id = before.image_id AND decision.applied
                                      AND decision.revision = before.held_revision
           WHERE before.image_id = $1 AND before.revision = $2 - 1 AND before.applied""",
        image_id,
        revision,
    )
    return None if row is None else HeldLabel(**dict(row))


async def corrections_by(database: Database, image_id: UUID, user: str) -> list[Row]:
    """Return all corrections of the image by this person, in the form of `correction`: applied ones first, of those the
    newest first."""
    return (await corrections_of(database, [image_id], user)).get(image_id, [])


async def corrections_of(database: Database, image_ids: Sequence[UUID], user: str) -> dict[UUID, list[Row]]:
    """Return the same of several images, by image."""
    found: dict[UUID, list[Row]] = {}
    for row in await database.fetch(
        f"{_CORRECTION} WHERE history.image_id = ANY($1::uuid[]) AND history.corrected_by = $2"
        " ORDER BY history.applied DESC, history.revision DESC, history.occurred_at DESC, history.event_id",
        image_ids,
        user,
    ):
        found.setdefault(row["image_id"], []).append(row)
    return found


def _image(row: Row) -> ImageView:
    stored, withdrawn = row["stored_at"] is not None, row["withdrawn_at"] is not None
    refused = row["rejection_reason"] is not None and not stored and not withdrawn
    return ImageView(
        image_id=row["image_id"],
        state="withdrawn" if withdrawn else "stored" if stored else "rejected" if refused else "registered",
        label=row["label"],
        revision=row["revision"],
        trust=row["trust"],
        sha256=row["sha256"],
        width=row["width"],
        height=row["height"],
        source=row["stored_url"] or row["registered_url"] or "upload",
        registered_by=row["registered_by"] or row["stored_by"],
        corrected_by=row["corrected_by"],
        attempt=row["attempt"] or 1,
        rejection=_rejection(row) if refused else None,
        duplicate_of=row["duplicate_of"] if refused else None,
        prediction=shown_prediction(row),
        decided_in=row["held_revision"],
        no_label=row["no_label"],
        label_of=row["label_of"],
        name=row["name"],
        joins=row["joins"],
        withdrawal=_withdrawal(row) if withdrawn else None,
    )


def _withdrawal(row: Row) -> WithdrawalView:
    return WithdrawalView(
        withdrawn_by=row["withdrawn_by"], reason=row["withdrawn_reason"], withdrawn_at=row["withdrawn_at"]
    )


def _rejection(row: Row) -> Rejection:
    return Rejection(
        reason=row["rejection_reason"],
        detail=row["rejection_detail"],
        retryable=row["rejection_retryable"],
        duplicate_of=row["duplicate_of"],
        attempt=row["rejected_attempt"],
    )


def shown_prediction(row: Row) -> ShownPrediction | None:
    """Return the answer about an image in a row that joins predictions; None if there is none."""
    if row["prediction_id"] is None:
        return None
    return ShownPrediction(
        prediction_id=row["prediction_id"],
        label=row["predicted_label"],
        probabilities=row["probabilities"],
        model_version=row["model_version"],
    )


def _revision(row: Row, conflicts: Sequence[LabelConflict]) -> HistoryEntry:
    values: dict[str, Any] = {name: row[name] for name in HistoryEntry.model_fields if name in row}
    applied = row["applied"]
    values |= {"state": "applied" if applied else "superseded", "set_aside": row["sentence"] if applied else None}
    if not applied:
        values |= {"live_in": None, "live_at": None}
    elif row["revision"] == row["held_revision"]:
        own = (row["image_id"], row["revision"])
        values["conflicts"] = [
            each
            for each in conflicts
            if own in ((side.image_id, side.revision) for side in (each.counting, each.overruled))
        ]
    return HistoryEntry(**values)
