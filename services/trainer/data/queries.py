"""Questions to the trainer's tables. Each takes the database, or a transaction on it, and answers with values."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from services.trainer.dataset.manifest import Sample
from services.trainer.dataset.records import Candidate as Candidate
from services.trainer.dataset.records import Champion as Champion
from services.trainer.dataset.records import Correction as Correction
from services.trainer.dataset.records import LabelledImage as LabelledImage
from services.trainer.dataset.records import ModelRow as ModelRow
from services.trainer.dataset.records import Reading as Reading
from services.trainer.dataset.records import Retraction as Retraction
from shared.contract.events import LARGEST, AppliedCorrection, ModelPromoted, ModelRejected, ModelTrained, SetAside
from shared.contract.split import side
from shared.runtime.errors import NotReady
from shared.tables.database import Database
from shared.tables.postgres import Row, Transaction

Tables = Database | Transaction
AFTER_ALL_REVISIONS = LARGEST + 1
"""The revision at which the withdrawal of an image takes back all that a model may hold of it, also corrections that
the tables do not show yet."""

MANY = 2_000
_NEWEST = "SELECT DISTINCT ON (image_id) * FROM corrections WHERE {among} ORDER BY image_id, revision DESC"
"""The newest applied correction of each image."""


async def labelled_samples(tables: Tables) -> list[Sample]:
    """Return every stored image with a trusted label, as `labelled_images`."""
    return [image.sample for image in await labelled_images(tables)]


async def labelled_images(tables: Tables, among: Collection[UUID] | None = None) -> list[LabelledImage]:
    """Return every stored image with a trusted label, in the order of image ids: the label that a person decided, or
    else the label it came with if that is from a data set or a reviewer. An image that a person decided to have no
    label is left out, a quarantined one, and of images with the same pixels all but the one whose label counts.
    `among`: only those of these images."""
    rows = await _fetch(
        tables,
        """WITH c AS ({newest}) SELECT i.image_id, i.sha256, i.object_key, i.group_id,
                  coalesce(c.label, i.label) AS label, coalesce(c.held_revision, 0) AS revision
           FROM usable_images i LEFT JOIN c USING (image_id)
           WHERE (c.label IS NOT NULL
                  OR (coalesce(c.held_revision, 0) = 0 AND i.label IS NOT NULL AND i.trust IN ('seed', 'reviewed')))
             AND NOT i.quarantined AND NOT EXISTS (SELECT FROM overruled_images o WHERE o.image_id = i.image_id)
             AND {among} ORDER BY i.image_id""",
        among,
    )
    if len(rows) < MANY:
        return _labelled(rows)
    return await asyncio.to_thread(_labelled, rows)  # takes seconds for 100,000, in which the event loop goes on


async def newest_images(tables: Tables, limit: int) -> list[tuple[str, str]]:
    """Return sha256 and object key of at most `limit` stored images: the corrected ones first, then the newest."""
    rows = await tables.fetch(
        """SELECT i.sha256, i.object_key FROM usable_images i LEFT JOIN newest_corrections c USING (image_id)
           ORDER BY c.corrected_at DESC NULLS LAST, i.stored_at DESC, i.image_id LIMIT $1""",
        limit,
    )
    return [(row["sha256"], row["object_key"]) for row in rows]


async def images_stored_since(tables: Tables, since: datetime, limit: int) -> list[tuple[str, str, datetime]]:
    """Return sha256, object key and time of storing of at most `limit` images stored at `since` or later, the newest
    first."""
    rows = await tables.fetch(
        """SELECT sha256, object_key, stored_at FROM usable_images WHERE stored_at >= $1
           ORDER BY stored_at DESC, image_id LIMIT $2""",
        since,
        limit,
    )
    return [(row["sha256"], row["object_key"], row["stored_at"]) for row in rows]


async def some_images(tables: Tables, image_ids: Collection[UUID], limit: int) -> dict[str, str]:
    """Return sha256 and object key of those of these images that are stored, and of at most `limit` others."""
    rows = await tables.fetch(
        """SELECT sha256, object_key FROM usable_images WHERE image_id = ANY($1::uuid[])
           UNION (SELECT sha256, object_key FROM usable_images ORDER BY image_id LIMIT $2)""",
        list(image_ids),
        limit,
    )
    return {row["sha256"]: row["object_key"] for row in rows}


async def object_keys(tables: Tables, sha256s: Collection[str]) -> dict[str, str]:
    """Return where the bytes with these hashes lie in the object store; a hash no stored image has is missing."""
    rows = await tables.fetch(
        "SELECT sha256, object_key FROM usable_images WHERE sha256 = ANY($1::text[])", list(sha256s)
    )
    return {row["sha256"]: row["object_key"] for row in rows}


async def groups_of(tables: Tables, image_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the near-duplicate group of each of these stored images."""
    rows = await tables.fetch("SELECT image_id, group_id FROM images WHERE image_id = ANY($1::uuid[])", list(image_ids))
    return {row["image_id"]: row["group_id"] for row in rows}


async def applied_corrections(tables: Tables, among: Collection[UUID] | None = None) -> list[Correction]:
    """Return the label that a person decided of every stored image that has one, in the order of image ids. After a
    withdrawal that is the label of an earlier revision. Of images with the same pixels only the latest decision
    counts. `among`: only those of these images."""
    rows = await _fetch(
        tables,
        """WITH c AS ({newest})
           SELECT image_id, c.held_revision AS revision, c.label, i.sha256, i.object_key, i.group_id, c.corrected_at,
                  c.event_id
           FROM c JOIN usable_images i USING (image_id)
           WHERE c.label IS NOT NULL
             AND NOT EXISTS (SELECT FROM overruled_images o WHERE o.image_id = i.image_id)
             AND {among} ORDER BY image_id""",
        among,
    )
    return [Correction(**dict(row)) for row in rows]


async def retractions(tables: Tables, among: Collection[UUID] | None = None) -> list[Retraction]:
    """Return the newest applied correction of every image whose last label was taken away or does not count, since a
    later decision about another image with the same pixels does, and the withdrawal of every image that was taken back
    itself; in the order of image ids. `among`: only those of these images."""
    rows = await _fetch(
        tables,
        """WITH n AS ({newest})
           SELECT n.image_id, n.revision, CASE WHEN d.event_id IS NULL THEN n.held_revision ELSE 0 END AS held_revision,
                  coalesce(d.corrected_at, n.corrected_at) AS corrected_at, coalesce(d.event_id, n.event_id) AS event_id
           FROM n LEFT JOIN overruled_images o USING (image_id)
           LEFT JOIN LATERAL (SELECT event_id, corrected_at FROM corrections WHERE image_id = o.deciding_image
                              ORDER BY revision DESC LIMIT 1) d ON true
           WHERE (d.event_id IS NOT NULL OR n.held_revision < n.revision OR n.label IS NULL)
             AND NOT EXISTS (SELECT FROM withdrawn_images w WHERE w.image_id = n.image_id)
           UNION ALL
           SELECT image_id, {after_all}::bigint, 0, withdrawn_at, event_id FROM withdrawn_images
           WHERE {among}
           ORDER BY image_id""",
        among,
    )
    return [Retraction(**dict(row)) for row in rows]


async def changes_since(tables: Tables, since: Reading | None, most: int) -> tuple[Reading, list[UUID]]:
    """Return how far these tables are now, and the images about which they say something else than at `since`; more
    than `most` are not named in full. After a replay these are other tables, and with None, as after a replay, no image
    is named: read all of them again."""
    row = await tables.fetchrow(
        """SELECT to_regclass('changed_images')::oid::bigint AS table_id,
                  (SELECT coalesce(max(change), 0) FROM changed_images) AS change,
                  ARRAY(SELECT image_id FROM changed_images WHERE change > $1 LIMIT $2) AS images""",
        LARGEST if since is None else since.change,
        most + 1,
    )
    assert row is not None  # it has no condition
    return Reading(row["table_id"], row["change"]), row["images"]


async def _fetch(tables: Tables, query: str, among: Collection[UUID] | None) -> list[Row]:
    """Ask about all images, or about some of them."""
    condition, images = ("true", ()) if among is None else ("image_id = ANY($1::uuid[])", (list(among),))
    newest = _NEWEST.format(among=condition)
    return await tables.fetch(query.format(newest=newest, among=condition, after_all=AFTER_ALL_REVISIONS), *images)


async def withdrawn_digests(tables: Tables) -> frozenset[str]:
    """Return the sha256 of every image that people took back."""
    return frozenset(row["sha256"] for row in await tables.fetch("SELECT sha256 FROM withdrawn_images"))


async def promotion(tables: Tables) -> ModelPromoted | None:
    """Return the last promotion that counts; None before the first."""
    event = await tables.fetchval("SELECT event FROM promotions ORDER BY sequence DESC LIMIT 1")
    return None if event is None else ModelPromoted.model_validate(event)


async def champion(tables: Tables, *, as_announced: bool = False) -> Champion | None:
    """Return the model in service, with its corrections listed or `as_announced`; None before the first promotion.

    Raises:
        NotReady: the promotion is here, but the model.trained it promotes is not folded yet.
    """
    current = await promotion(tables)
    if current is None:
        return None
    return Champion(current, await trained(tables, current.version, as_announced=as_announced))


async def freezing_promotion(tables: Tables) -> ModelPromoted | None:
    """Return the last promotion that froze promotions (a freeze or a rollback), whether or not they still are; None if
    none."""
    event = await tables.fetchval(
        "SELECT event FROM promotions WHERE route IN ('freeze', 'rollback') ORDER BY sequence DESC LIMIT 1"
    )
    return None if event is None else ModelPromoted.model_validate(event)


async def anchor(tables: Tables) -> ModelTrained | None:
    """Return the last model that was promoted for being superior, else the first one ever; None before the first
    promotion. Small losses from champion to champion add up, so candidates are compared with this one too. Raises
    NotReady as `champion` does."""
    version = await anchor_version(tables)
    return None if version is None else await trained(tables, version)


async def anchor_version(tables: Tables) -> str | None:
    """Return the version of `anchor`."""
    version: str | None = await tables.fetchval(
        "SELECT version FROM promotions ORDER BY (route = 'superior') DESC, CASE route WHEN 'superior' THEN -sequence "
        "ELSE sequence END LIMIT 1"
    )
    return version


async def trained(tables: Tables, version: str, *, as_announced: bool = False) -> ModelTrained:
    """Return the candidate with this version, which something else in the log names, with its corrections listed or
    `as_announced`. Raises NotReady if it is not folded yet."""
    row = await (announced if as_announced else model)(tables, version)
    if row is None:
        raise NotReady(
            f"model.trained of {version} is not folded yet, though the log names it: wait for the projection."
        )
    return row.trained


async def model(tables: Tables, version: str) -> ModelRow | None:
    """Return the candidate with this version, with its corrections listed, and what became of it; None if there is
    none."""
    row = await announced(tables, version)
    if row is None or row.trained.corrections is not None:
        return row
    of_parent = await held_corrections(tables, str(row.trained.parent))
    return ModelRow(row.trained.completed(of_parent), row.promoted, row.rejected)


async def announced(tables: Tables, version: str) -> ModelRow | None:
    """Return the same as it was announced: maybe as a difference to its parent."""
    row = await tables.fetchrow("SELECT * FROM candidates WHERE version = $1", version)
    return None if row is None else _model(row)


async def held_corrections(tables: Tables, version: str) -> list[AppliedCorrection]:
    """Return what this candidate holds, in any order: of its ancestors the last that listed all counts. Raises NotReady
    if one of them is not folded yet."""
    rows = await tables.fetch(
        """WITH RECURSIVE line AS (
             SELECT event, 0 AS depth FROM models WHERE version = $1
             UNION ALL SELECT m.event, depth + 1 FROM line JOIN models m ON m.version = line.event ->> 'parent'
             WHERE jsonb_typeof(line.event -> 'corrections') = 'null')
           SELECT event FROM line ORDER BY depth DESC""",
        version,
    )
    line = [ModelTrained.model_validate(row["event"]) for row in rows]
    if not line or line[0].corrections is None:
        raise NotReady(f"What {version} holds is not folded yet, though the log names it: wait for the projection.")
    held = {(one.image_id, one.revision): one for one in line[0].held}
    for step in line[1:]:
        for one in step.removed:
            held.pop((one.image_id, one.revision), None)
        held |= {(one.image_id, one.revision): one for one in step.added}
    return list(held.values())


async def fast_candidates(tables: Tables, parent: str) -> list[Candidate]:
    """Return the fast lane's candidates made from this version, oldest first."""
    rows = await tables.fetch(
        """SELECT version, trained_at, rejected IS NOT NULL OR cardinality(promoted) > 0 AS judged
           FROM candidates WHERE parent = $1 AND lane = 'fast' ORDER BY trained_at, version""",
        parent,
    )
    return [Candidate(**dict(row)) for row in rows]


async def set_aside(tables: Tables) -> list[SetAside]:
    """Return the corrections that rejections left out, in the order of image ids. A rejection whose cause was promoted
    after all (the log decides races) leaves out nothing."""
    rows = await tables.fetch(
        """SELECT DISTINCT ON (image_id, revision) image_id, revision, sentence FROM set_aside s
           WHERE NOT EXISTS (SELECT FROM promotions p WHERE p.cause = s.cause)
           ORDER BY image_id, revision, cause"""
    )
    return [SetAside(**dict(row)) for row in rows]


async def last_full(tables: Tables, version: str) -> ModelTrained | None:
    """Return the full training at the root of this version; None if its line of parents is not known to the end."""
    event = await tables.fetchval(
        """WITH RECURSIVE line AS (
             SELECT version, lane, parent FROM models WHERE version = $1
             UNION SELECT m.version, m.lane, m.parent FROM models m JOIN line l ON m.version = l.parent
             WHERE l.lane = 'fast')
           SELECT m.event FROM line JOIN models m USING (version) WHERE line.lane = 'full'""",
        version,
    )
    return None if event is None else ModelTrained.model_validate(event)


async def first_promotion_of(tables: Tables, version: str) -> ModelPromoted | None:
    """Return the promotion that first put this version into service; None if it never served."""
    event = await tables.fetchval("SELECT event FROM promotions WHERE version = $1 ORDER BY sequence LIMIT 1", version)
    return None if event is None else ModelPromoted.model_validate(event)


async def verdict_on(tables: Tables, cause: UUID) -> ModelPromoted | ModelRejected | None:
    """Return the verdict that counts for this model.trained or promotion.requested; None if there is none yet."""
    found = await tables.fetchrow(
        """SELECT event, true AS promoted, sequence FROM promotions WHERE cause = $1
           UNION ALL SELECT event, false, NULL FROM rejections WHERE cause = $1
           ORDER BY promoted DESC, sequence LIMIT 1""",
        cause,
    )
    if found is None:
        return None
    return (ModelPromoted if found["promoted"] else ModelRejected).model_validate(found["event"])


def _labelled(rows: Sequence[Row]) -> list[LabelledImage]:
    return [LabelledImage(_sample(row), row["object_key"], row["group_id"]) for row in rows]


def _sample(row: Row) -> Sample:
    return Sample(row["image_id"], row["sha256"], row["label"], row["revision"], side(row["group_id"]))


def _model(row: Row) -> ModelRow:
    rejected = row["rejected"]
    return ModelRow(
        trained=ModelTrained.model_validate(row["trained"]),
        promoted=tuple(row["promoted"]),
        rejected=None if rejected is None else ModelRejected.model_validate(rejected),
    )
