"""Queries about the classes: what was changed, and what is known of each."""

from collections.abc import Callable
from uuid import UUID

from shared.clients.classes import ClassView
from shared.contract.label_set import LabelSet, LabelSetChanged
from shared.tables.database import Database

_NUMBERS = "SELECT label, sum(number)::int AS images FROM listed_counts WHERE label IS NOT NULL GROUP BY label"
_CHAMPION = """
SELECT models.event FROM promotions JOIN models USING (version)
WHERE counts ORDER BY promotions.sequence DESC LIMIT 1
"""


async def change_in_revision(database: Database, revision: int) -> LabelSetChanged | None:
    """Return the change that made this revision; None if the tables do not show it yet."""
    found = await database.fetchval("SELECT event FROM label_sets WHERE revision = $1", revision)
    return None if found is None else LabelSetChanged.model_validate(found)


async def was_changed(database: Database, make_id: Callable[[int], UUID]) -> LabelSetChanged | None:
    """Return the change whose id is that of a command in its revision; None if there is none."""
    rows = await database.fetch("SELECT revision, event_id, event FROM label_sets ORDER BY revision")
    found = [row["event"] for row in rows if make_id(row["revision"]) == row["event_id"]]
    return LabelSetChanged.model_validate(found[0]) if found else None


async def class_views(database: Database, classes: LabelSet) -> list[ClassView]:
    """Return the classes in their order, each with how many images have it, and what the model in service knows."""
    numbers = {row["label"]: row["images"] for row in await database.fetch(_NUMBERS)}
    champion = await database.fetchval(_CHAMPION) or {}
    answered, unlearned = champion.get("labels", ()), champion.get("unlearned", ())

    def known(label: str) -> str:
        if label not in answered:
            return "unknown"
        return "corrections" if label in unlearned else "learned"

    return [
        ClassView(**one.model_dump(), images=numbers.get(one.id, 0), model=known(one.id)) for one in classes.classes
    ]
