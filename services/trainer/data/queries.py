"""Questions to the trainer's tables. Each takes the database, or a transaction on it, and answers with values."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from services.trainer.dataset.manifest import Sample
from services.trainer.dataset.records import Candidate as Candidate
from services.trainer.dataset.records import Champion as Champion
from services.trainer.dataset.records import Correction as Correction
from services.trainer.dataset.records import LabelledImage as LabelledImage
from services.trainer.dataset.records import ModelRow as ModelRow
from services.trainer.dataset.records import Retraction as Retraction
from shared.contract.events import LARGEST, ModelPromoted, ModelRejected, ModelTrained, SetAside
from shared.contract.split import side
from shared.runtime.errors import NotReady
from shared.tables.database import Database
from shared.tables.postgres import Row, Transaction

Tables = Database | Transaction
AFTER_ALL_REVISIONS = LARGEST + 1
"""The revision at which the withdrawal of an image takes back all that a model may hold of it, also corrections that
the tables do not show yet."""


async def labelled_samples(tables: Tables) -> list[Sample]:
    """Return every stored image with a trusted label, as `labelled_images`."""
    return [image.sample for image in await labelled_images(tables)]


async def labelled_images(tables: Tables) -> list[LabelledImage]:
    """Return every stored image with a trusted label, in the order of image ids: the label that a person decided, or
    else the label it came with if that is from a data set or a reviewer. An image that a person decided to have no
    label is left out, a quarantined one, and of images with the same pixels all but the one whose label counts."""
    rows = await tables.fetch(
        """SELECT i.image_id, i.sha256, i.object_key, i.group_id,
                  coalesce(c.label, i.label) AS label, coalesce(c.held_revision, 0) AS revision
           FROM usable_images i LEFT JOIN newest_corrections c USING (image_id)
           WHERE (c.label IS NOT NULL
                  OR (coalesce(c.held_revision, 0) = 0 AND i.label IS NOT NULL AND i.trust IN ('seed', 'reviewed')))
             AND NOT i.quarantined AND NOT EXISTS (SELECT FROM overruled_images o WHERE o.image_id = i.image_id)
           ORDER BY i.image_id"""
    )
    return [LabelledImage(_sample(row), row["object_key"], row["group_id"]) for row in rows]


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


async def applied_corrections(tables: Tables) -> list[Correction]:
    """Return the label that a person decided of every stored image that has one, in the order of image ids. After a
    withdrawal that is the label of an earlier revision. Of images with the same pixels only the latest decision
    counts."""
    rows = await tables.fetch(
        """SELECT image_id, c.held_revision AS revision, c.label, i.sha256, i.object_key, i.group_id, c.corrected_at,
                  c.event_id
           FROM newest_corrections c JOIN usable_images i USING (image_id)
           WHERE c.label IS NOT NULL
             AND NOT EXISTS (SELECT FROM overruled_images o WHERE o.image_id = i.image_id)
           ORDER BY image_id"""
    )
    return [Correction(**dict(row)) for row in rows]


async def retractions(tables: Tables) -> list[Retraction]:
    """Return the newest applied correction of every image whose last label was taken away or does not count, since a
    later decision about another image with the same pixels does, and the withdrawal of every image that was taken back
    itself; in the order of image ids."""
    rows = await tables.fetch(
        """SELECT n.image_id, n.revision, CASE WHEN d.event_id IS NULL THEN n.held_revision ELSE 0 END AS held_revision,
                  coalesce(d.corrected_at, n.corrected_at) AS corrected_at, coalesce(d.event_id, n.event_id) AS event_id
           FROM newest_corrections n LEFT JOIN overruled_images o USING (image_id)
           LEFT JOIN LATERAL (SELECT event_id, corrected_at FROM corrections WHERE image_id = o.deciding_image
                              ORDER BY revision DESC LIMIT 1) d ON true
           WHERE (d.event_id IS NOT NULL OR n.held_revision < n.revision OR n.label IS NULL)
             AND NOT EXISTS (SELECT FROM withdrawn_images w WHERE w.image_id = n.image_id)
           UNION ALL
           SELECT image_id, $1::bigint, 0, withdrawn_at, event_id FROM withdrawn_images
           ORDER BY image_id""",
        AFTER_ALL_REVISIONS,
    )
    return [Retraction(**dict(row)) for row in rows]


async def withdrawn_digests(tables: Tables) -> frozenset[str]:
    """Return the sha256 of every image that people took back."""
    return frozenset(row["sha256"] for row in await tables.fetch("SELECT sha256 FROM withdrawn_images"))


async def promotion(tables: Tables) -> ModelPromoted | None:
    """Return the last promotion that counts; None before the first."""
    event = await tables.fetchval("SELECT event FROM promotions ORDER BY sequence DESC LIMIT 1")
    return None if event is None else ModelPromoted.model_validate(event)


async def champion(tables: Tables) -> Champion | None:
    """Return the model in service, None before the first promotion.

    Raises:
        NotReady: the promotion is here, but the model.trained it promotes is not folded yet.
    """
    current = await promotion(tables)
    return None if current is None else Champion(current, await trained(tables, current.version))


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


async def trained(tables: Tables, version: str) -> ModelTrained:
    """Return the candidate with this version, which something else in the log names. Raises NotReady if it is not
    folded yet."""
    row = await model(tables, version)
    if row is None:
        raise NotReady(
            f"model.trained of {version} is not folded yet, though the log names it: wait for the projection."
        )
    return row.trained


async def model(tables: Tables, version: str) -> ModelRow | None:
    """Return the candidate with this version and what became of it; None if there is none."""
    row = await tables.fetchrow("SELECT * FROM candidates WHERE version = $1", version)
    return None if row is None else _model(row)


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


def _sample(row: Row) -> Sample:
    return Sample(row["image_id"], row["sha256"], row["label"], row["revision"], side(row["group_id"]))


def _model(row: Row) -> ModelRow:
    rejected = row["rejected"]
    return ModelRow(
        trained=ModelTrained.model_validate(row["trained"]),
        promoted=tuple(row["promoted"]),
        rejected=None if rejected is None else ModelRejected.model_validate(rejected),
    )
