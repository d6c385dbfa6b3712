"""The images that an export holds, a batch at a time, so that any number of them takes the same memory."""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

from services.labeler.queries.listed_images import FROM_LISTED, LISTED, conditions_of
from shared.clients.browse import ImageFilter
from shared.contract.label_set import LabelSet
from shared.tables.database import Database

BATCH = 500
Exported = Mapping[str, Any]
"""What the tables say of an image, by column."""


async def exported_images(database: Database, asked: ImageFilter, classes: LabelSet) -> AsyncIterator[Exported]:
    """Yield the images that fulfil the filter, each once, by id, with the names that people give the classes. Of an
    image that changes meanwhile either state is exported. Raises TransientError if the tables are away."""
    after = UUID(int=0)
    while True:
        found = conditions_of(asked)
        found.add("image_id > {}", after)
        query = f"""
            WITH page AS MATERIALIZED (
                SELECT image_id FROM listed_images WHERE {found.where} ORDER BY image_id LIMIT {BATCH})
            SELECT {LISTED} FROM page {FROM_LISTED} ORDER BY image_id
        """  # noqa: S608 - constants and numbers; values are arguments
        rows = await database.fetch(query, *found.arguments)
        for row in rows:
            yield dict(row) | {field: _named(row[field], classes) for field in ("label", "predicted")}
        if len(rows) < BATCH:
            return
        after = rows[-1]["image_id"]


def _named(label: str | None, classes: LabelSet) -> str | None:
    return None if label is None else classes.name_of(label)


async def exported_labels(database: Database) -> list[str]:
    """Return all labels that listed images have, in their order."""
    query = "SELECT DISTINCT label FROM listed_counts WHERE label IS NOT NULL ORDER BY label"
    return [row["label"] for row in await database.fetch(query)]
