"""Queries about what quarantined images resemble."""

from collections.abc import Sequence

from shared.clients.answers import ImageView, ResembledGroup
from shared.contract.split import side
from shared.tables.database import Database

SHOWN = 5
"""How many images of a group are named."""


async def with_resembled(database: Database, images: Sequence[ImageView]) -> list[ImageView]:
    """Return these images, the quarantined ones with the groups that they resemble: what is stored of them now."""
    groups = {group for image in images for group in image.joins}
    if not groups:
        return list(images)
    rows = await database.fetch(
        """SELECT group_id, count(*) AS count, (array_agg(image_id ORDER BY stored_at, image_id))[:$2] AS images
           FROM images
           WHERE group_id = ANY($1) AND joins = '{}' AND stored_at IS NOT NULL AND withdrawn_at IS NULL
           GROUP BY group_id""",
        sorted(groups),
        SHOWN,
    )
    stored = {row["group_id"]: (row["count"], row["images"]) for row in rows}

    def describe(group: str) -> ResembledGroup:
        count, named = stored.get(group, (0, []))
        return ResembledGroup(side=side(group), count=count, images=named)

    return [image.model_copy(update={"resembles": [describe(group) for group in image.joins]}) for image in images]
