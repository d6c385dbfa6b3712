"""Queries about the list of stored images: a page of those that fulfil a filter, and how many these are."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID

from services.labeler.queries.cursors import Cursor, decode_cursor, encode_cursor
from services.labeler.queries.images import shown_prediction
from shared.clients.browse import COPIES_COUNTED, FacetCount, ImageFilter, ImagePage, ListedImage, Sort
from shared.tables.database import Database
from shared.tables.postgres import Row, Transaction

UNLABELLED = "unlabelled"
COUNTED = 5_000
"""So many images are counted where a filter asks for more than FACETS; of more it is said that they are more."""
COUNTED_WITH_FACETS = 50_000
FEW_NAMED = 2_000
"""Names that at most so many images have are looked up in their index; others are found soon without it."""
FACETS = {
    "label": "label",
    "trust": "trust",
    "by": "decided_by",
    "split": "side",
    "disagrees": "disagrees::text",
    "flagged": "flagged",
}
"""The fields of the filter that are counted, as columns of listed_images and listed_counts."""
ORDERS: Mapping[Sort, tuple[str, str]] = {
    "newest": ("stored_at", "DESC"),
    "doubtful": ("doubt", "ASC"),
    "contradicting": ("contradiction", "DESC"),
}
LISTED = """
    listed.*, images.revision, images.sha256, images.width, images.height, images.object_key, images.image_format,
    predictions.prediction_id, predictions.label AS predicted_label, predictions.probabilities,
    image_copies.group_id, image_copies.copies
"""
FROM_LISTED = """
    JOIN listed_images listed USING (image_id) JOIN images USING (image_id) LEFT JOIN predictions USING (image_id)
    LEFT JOIN image_copies USING (image_id)
"""
IN_GROUP = f"""
    (SELECT count(*) - 1 FROM (SELECT FROM image_copies other WHERE other.group_id = image_copies.group_id
                               LIMIT {COPIES_COUNTED + 1}) AS others) AS in_group
"""  # noqa: S608 - a number
COPIED = "SELECT image_id, copies FROM image_copies WHERE copies <> '{}'"
"""The few images that have copies: joined to these, many images are counted in half the time."""
HAVING_COPIES = "image_id IN (SELECT image_id FROM image_copies WHERE copies <> '{{}}' AND copies && {}::text[])"
NAMED = """
SELECT image_id FROM images
WHERE stored_at IS NOT NULL AND pieces_of_name(file_name, stored_url, registered_url) @@ pieces_of_part($1) LIMIT $2
"""


@dataclass
class Conditions:
    """Conditions of a query about listed_images, and their arguments."""

    clauses: list[str] = field(default_factory=list)
    arguments: list[object] = field(default_factory=list)

    def add(self, clause: str, *values: object) -> None:
        """Add a condition; `{}` in it stands for each value in turn."""
        first = len(self.arguments) + 1
        self.clauses.append(clause.format(*(f"${first + number}" for number in range(len(values)))))
        self.arguments.extend(values)

    @property
    def where(self) -> str:
        return " AND ".join(self.clauses) or "true"


def conditions_of(
    asked: ImageFilter, facets: bool = True, named: Sequence[UUID] | None = None, copies: bool = True
) -> Conditions:
    """Return what the filter asks for; without `facets` only what it asks of fields that are not counted, and without
    `copies` nothing of these. `named`: see images_named."""
    found = Conditions()
    for column, values in (("predicted", asked.predicted), ("model_version", asked.version)):
        if values:
            found.add(f"{column} = ANY({{}}::text[])", values)
    for clause, value in (
        ("stored_at >= {}", asked.since),
        ("stored_at < {}", asked.until),
        ("confidence >= {}", asked.min_confidence),
        ("confidence <= {}", asked.max_confidence),
        ("name_folded LIKE '%' || lower({}) || '%'", _literally(asked.name) if asked.name else None),
    ):
        if value is not None:
            found.add(clause, value)
    if asked.group is not None:
        found.add("image_id IN (SELECT image_id FROM image_copies WHERE group_id = {})", asked.group)
    if asked.copies and copies:
        found.add(HAVING_COPIES, asked.copies)
    if named is not None:
        found.add("image_id = ANY({}::uuid[])", named)
    if facets:
        for name, chosen in chosen_of(asked).items():
            if chosen:
                found.add(f"({FACETS[name]}) = ANY({{}}::text[])", chosen)
    return found


async def images_named(transaction: Transaction, asked: ImageFilter) -> list[UUID] | None:
    """Return among which images those with the name are that the filter asks for; None if it asks for none, or if they
    are more than FEW_NAMED."""
    if not asked.name:
        return None
    rows = await transaction.fetch(NAMED, asked.name, FEW_NAMED + 1)
    return None if len(rows) > FEW_NAMED else [row["image_id"] for row in rows]


def _literally(text: str) -> str:
    """Return a pattern of LIKE that means this text."""
    return re.sub(r"([\\%_])", r"\\\1", text)


def chosen_of(asked: ImageFilter) -> dict[str, list[str]]:
    """Return the values that the fields of FACETS are filtered by."""
    disagrees = [] if asked.disagrees is None else [str(asked.disagrees).lower()]
    return {name: list(getattr(asked, name)) for name in FACETS if name != "disagrees"} | {"disagrees": disagrees}


async def list_page(
    database: Database, asked: ImageFilter, sort: Sort, cursor_text: str | None, limit: int, facets: bool
) -> ImagePage:
    """Return a page of the images that fulfil the filter. Raises InvalidCursor."""
    list_name = f"{sort} {sha256(asked.model_dump_json().encode()).hexdigest()}"
    cursor = None if cursor_text is None else decode_cursor(cursor_text, list_name)
    async with database.transaction() as transaction:
        await transaction.execute("SET LOCAL plan_cache_mode = force_custom_plan")  # values differ in how rare they are
        named = await images_named(transaction, asked)
        rows = await transaction.fetch(*page_query(asked, sort, cursor, limit, named))
        total, more = await _total(transaction, asked, cursor, rows, named)
        counts = None
        if facets:
            total, more, counts = await _facets(transaction, asked, named)
    backward = cursor is not None and cursor.backward
    kept, further = rows[:limit], len(rows) > limit
    if backward:
        kept.reverse()
    start = 0 if cursor is None or (backward and not further) else cursor.start
    following = start + len(kept)

    def at(row: Row, start: int, backward: bool = False) -> str:
        place = Cursor(row[ORDERS[sort][0]], row["image_id"], start, total, more, backward)
        return encode_cursor(place, list_name)

    return ImagePage(
        items=[listed_image(row) for row in kept],
        start=start,
        next=at(kept[-1], following) if kept and (backward or further) else None,
        previous=at(kept[0], max(0, start - limit), True) if kept and (further if backward else cursor) else None,
        total=max(total, following),
        more=more,
        facets=counts,
    )


def page_query(
    asked: ImageFilter, sort: Sort, cursor: Cursor | None, limit: int, named: Sequence[UUID] | None = None
) -> tuple[Any, ...]:
    """Return the query for one image more than a page has, and its arguments. `found`: how many images fulfil the
    filter, up to COUNTED and one more, where the first page is asked for and no other query counts them."""
    column, direction = ORDERS[sort]
    found = conditions_of(asked, named=named)
    if cursor is not None and cursor.backward:
        direction = "ASC" if direction == "DESC" else "DESC"
    if cursor is not None:
        comparison = "<" if direction == "DESC" else ">"
        found.add(f"({column}, image_id) {comparison} ({{}}, {{}})", cursor.value, cursor.image_id)
    counting = cursor is None and not _counted(asked) and not asked.copies
    order = f"{column} {direction}, image_id {direction}"
    query = f"""
        WITH found AS MATERIALIZED (
            SELECT image_id, {column} FROM listed_images WHERE {found.where}
            ORDER BY {order} LIMIT {COUNTED + 1 if counting else limit + 1}),
        page AS (SELECT image_id FROM found ORDER BY {order} LIMIT {limit + 1})
        SELECT {LISTED}, {IN_GROUP}, (SELECT count(*) FROM found) AS found
        FROM page {FROM_LISTED} ORDER BY listed.{column} {direction}, image_id {direction}
    """  # noqa: S608 - constants and numbers; values are arguments
    return query, *found.arguments


async def _total(
    transaction: Transaction,
    asked: ImageFilter,
    cursor: Cursor | None,
    rows: Sequence[Row],
    named: Sequence[UUID] | None,
) -> tuple[int, bool]:
    """Return how many images fulfil the filter, and whether they are more."""
    if _counted(asked):
        found = conditions_of(asked)
        query = f"SELECT coalesce(sum(number), 0) FROM listed_counts WHERE {found.where}"  # noqa: S608 - constants
        return int(await transaction.fetchval(query, *found.arguments)), False
    if cursor is not None:
        return cursor.total, cursor.more
    if asked.copies:  # those few are counted sooner than found in their order
        counted = await transaction.fetchval(*copies_total_query(asked, named))
    else:
        counted = rows[0]["found"] if rows else 0
    return min(counted, COUNTED), counted > COUNTED


def facets_query(asked: ImageFilter, named: Sequence[UUID] | None = None) -> tuple[Any, ...]:
    """Return the query that counts the images by each field of FACETS. For each field the filters of the others count,
    not its own: what is counted is what a person would see who chose that value instead, or as well. Rows: facet (null
    for all that fulfil the filter, and "seen" for all that were looked at), value, number. Where all images are looked
    at anyway (see _scanned), their copies are counted, too."""
    scanned = _scanned(asked)
    found = conditions_of(asked, facets=False, named=named, copies=not scanned)
    columns = ", ".join(f"{expression} AS {name}" for name, expression in FACETS.items())
    if _counted(asked):
        counted = f"SELECT {columns}, number FROM listed_counts"  # noqa: S608 - constants
    else:
        joined = f"listed_images LEFT JOIN ({COPIED}) AS copied USING (image_id)" if scanned else "listed_images"
        limited = f"SELECT * FROM {joined} WHERE {found.where} LIMIT {COUNTED_WITH_FACETS + 1}"  # noqa: S608
        columns += ", copies" if scanned else ""
        numbers = ", ".join(str(position + 1) for position in range(len(FACETS) + scanned))
        counted = f"SELECT {columns}, count(*) AS number FROM ({limited}) AS images GROUP BY {numbers}"  # noqa: S608
    kept = {name: _kept(found, name, chosen) for name, chosen in chosen_of(asked).items()}
    each = "VALUES " + ", ".join(f"('{name}', {name}, {condition})" for name, condition in kept.items())
    if scanned:
        kept["copies"] = _kept(found, "copies", asked.copies, "copies && {}")
        each += f" UNION ALL SELECT 'copies', kind, {kept['copies']} FROM unnest(copies) AS kind"  # noqa: S608 - constants
    failed = " + ".join(f"(NOT {condition})::integer" for condition in kept.values())
    query = f"""
        WITH counted AS MATERIALIZED ({counted}), judged AS (SELECT *, {failed} AS failed FROM counted)
        SELECT facet, value, sum(number) AS number
        FROM judged CROSS JOIN LATERAL ({each}) AS each (facet, value, kept)
        WHERE value IS NOT NULL AND (failed = 0 OR failed = 1 AND NOT kept) GROUP BY facet, value
        UNION ALL SELECT NULL, NULL, coalesce(sum(number) FILTER (WHERE failed = 0), 0) FROM judged
        UNION ALL SELECT 'seen', NULL, coalesce(sum(number), 0) FROM judged
        ORDER BY number DESC, value
    """  # noqa: S608 - constants; values are arguments
    return query, *found.arguments


def copies_query(asked: ImageFilter, named: Sequence[UUID] | None = None) -> tuple[Any, ...]:
    """Return the query that counts the images by the kinds of copies that there are of them, an image for each kind.
    All filters count but that of the copies."""
    found = conditions_of(asked, named=named, copies=False)
    counted = "copies_counts"
    if found.clauses:
        limited = f"SELECT copies FROM image_copies WHERE {_copies_among(found)} LIMIT {COUNTED_WITH_FACETS}"  # noqa: S608
        counted = f"(SELECT copies, count(*) AS number FROM ({limited}) AS found GROUP BY copies) AS counted"  # noqa: S608
    query = f"""
        SELECT value, sum(number) AS number FROM {counted} CROSS JOIN unnest(copies) AS value
        GROUP BY value ORDER BY number DESC, value
    """  # noqa: S608 - constants; values are arguments
    return query, *found.arguments


def copies_total_query(asked: ImageFilter, named: Sequence[UUID] | None = None) -> tuple[Any, ...]:
    """Return the query that counts the images that fulfil a filter by copies, up to COUNTED and one more."""
    found = conditions_of(asked, named=named, copies=False)
    among = _copies_among(found)
    found.arguments.append(asked.copies)
    wanted = f"{among} AND copies && ${len(found.arguments)}::text[] LIMIT {COUNTED + 1}"
    query = f"SELECT count(*) FROM (SELECT FROM image_copies WHERE {wanted}) AS found"  # noqa: S608 - constants
    return query, *found.arguments


def _copies_among(found: Conditions) -> str:
    """Return the condition of image_copies that there are copies, and that the image fulfils these conditions."""
    if not found.clauses:
        return "copies <> '{}'"
    return f"copies <> '{{}}' AND image_id IN (SELECT image_id FROM listed_images WHERE {found.where})"  # noqa: S608


def _kept(found: Conditions, name: str, chosen: Sequence[str], condition: str = "") -> str:
    """Return the condition that a field of FACETS has one of the chosen values; the values are added to `found`."""
    if not chosen:
        return "true"
    found.arguments.append(chosen)
    values = f"${len(found.arguments)}::text[]"
    return f"coalesce({condition.format(values) or f'{name} = ANY({values})'}, false)"


def _scanned(asked: ImageFilter) -> bool:
    """Return whether facets are counted over the images themselves, not over counts or those with copies alone."""
    return bool(conditions_of(asked, facets=False, copies=False).clauses)


def _counted(asked: ImageFilter) -> bool:
    """Return whether the filter asks for nothing but what listed_counts knows."""
    return not conditions_of(asked, facets=False).clauses


async def _facets(
    transaction: Transaction, asked: ImageFilter, named: Sequence[UUID] | None
) -> tuple[int, bool, dict[str, list[FacetCount]]]:
    """Return how many images fulfil the filter, whether they are more, and the facets."""
    counts: dict[str | None, list[FacetCount]] = {name: [] for name in (*FACETS, "copies", None, "seen")}
    for row in await transaction.fetch(*facets_query(asked, named)):
        counts[row["facet"]].append(FacetCount(value=row["value"] or "", count=int(row["number"])))
    if not _scanned(asked):
        rows = await transaction.fetch(*copies_query(asked, named))
        counts["copies"] = [FacetCount(value=row["value"], count=int(row["number"])) for row in rows]
    more = not _counted(asked) and counts["seen"][0].count > COUNTED_WITH_FACETS
    return counts[None][0].count, more, {name: counts[name] for name in (*FACETS, "copies")}


def listed_image(row: Row) -> ListedImage:
    """Return the image in a row of LISTED."""
    return ListedImage(
        image_id=row["image_id"],
        name=row["name"],
        stored_at=row["stored_at"],
        label=row["label"],
        revision=row["revision"],
        trust=row["trust"],
        no_label=None if row["flagged"] == UNLABELLED else row["flagged"],
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
        split=row["side"],
        sha256=row["sha256"],
        width=row["width"],
        height=row["height"],
        prediction=shown_prediction(row),
        group_id=row["group_id"] or "",
        in_group=max(row["in_group"], 0),
        copies=row["copies"] or (),
    )
