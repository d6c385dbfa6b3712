"""How long does it take to find the most similar images, and are they the right ones?

Usage: python -m bench.similar_images [--places 100000] [--queries 200]

On a PostgreSQL of its own so many images are planted, each with a label, an answer and a place; half of the places lie
in any direction, which is the hardest for an index, half in bunches of about fifty. The API's query for the 24 nearest
of random images, and the same query over all places without the index, take turns. Recall: the share of the 24 that are
among the exact ones, or as near. Then 5 % of the images get an answer of a new full model, through the projection, and
images of both models are asked about: the index holds the places of both. Prints p50 and p95, and the ratio of both.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from pappus.stack import Servers
from pappus.stack.testing import servers_in
from services.labeler.data.projection import apply_image_scored
from services.labeler.queries.similar import FEW, NEAREST, find_nearest, set_up_search
from services.labeler.settings import MIGRATIONS, SCHEMA
from shared.contract.place import DIMENSIONS, decode_place, encode_place
from shared.tables.database import Database
from shared.tables.postgres import Row
from shared.testing import image_scored

LIMIT = 24
BUNCH = 50
AT_ONCE = 100
OLD, NEW = "a" * 64, "b" * 64
ALL = 2**31 - 2
_PLANT = """
WITH planted AS (SELECT * FROM unnest($1::uuid[], $2::text[]) AS planted (image_id, place)),
     known AS (INSERT INTO images (image_id, stored_label, stored_trust, stored_at)
               SELECT image_id, 'grass', 'seed', now() FROM planted),
     answered AS (INSERT INTO predictions (image_id, prediction_id, label, probabilities, margin, model_version,
                                           occurred_at)
                  SELECT image_id, image_id, 'grass', '{"dandelion": 0.1, "grass": 0.9}', 0.8, 'v1', now() FROM planted)
INSERT INTO places (image_id, full_model_sha256, place) SELECT image_id, $3, place::halfvec FROM planted
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--places", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=200)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pappus-bench-") as folder:
        Path(folder).chmod(0o711)
        with servers_in(Path(folder) / "state", ("postgres",)) as servers:
            asyncio.run(_measure(servers, arguments.places, arguments.queries))


async def _measure(servers: Servers, places: int, queries: int) -> None:
    chance, draw = np.random.default_rng(1), random.Random(1)
    async with Database.open(servers.database_url(SCHEMA), SCHEMA, MIGRATIONS) as database:
        ids = await _plant(database, _directions(chance, places))
        await _print_plan(database, ids[0])
        await _ask(database, f"one model, {places:,} places", draw.sample(ids, min(queries, len(ids))))
        scored = ids[: places // 20]
        await _score_again(database, scored, _directions(chance, len(scored)))
        await database.execute("ANALYZE places")
        await _ask(database, f"the new model, {len(scored):,} places", draw.sample(scored, min(queries, len(scored))))
        rest = ids[places // 20 :]
        await _ask(database, f"the old model, {len(rest):,} places", draw.sample(rest, min(queries, len(rest))))


def _directions(chance: np.random.Generator, number: int) -> NDArray[np.float64]:
    """Return directions float64 [number, DIMENSIONS], in no order."""
    even = chance.normal(size=(number - number // 2, DIMENSIONS))
    centres = chance.normal(size=(max(1, number // 2 // BUNCH), DIMENSIONS))
    bunched = centres[chance.integers(len(centres), size=number // 2)]
    bunched += chance.normal(scale=0.6, size=bunched.shape)
    return np.asarray(chance.permutation(np.concatenate((even, bunched))))


def _written(direction: NDArray[np.float64]) -> str:
    return encode_place(direction.tolist()) or ""


async def _plant(database: Database, directions: NDArray[np.float64]) -> list[UUID]:
    """Insert one image for each direction, with the index made at the end, which is quicker than row by row."""
    ids = [UUID(int=number) for number in range(1, len(directions) + 1)]
    index = await database.fetchval("SELECT indexdef FROM pg_indexes WHERE indexname = 'places_by_nearness'")
    async with database.connection() as connection:
        await connection.execute("DROP INDEX places_by_nearness")
        texts = [str(list(decode_place(_written(direction)))) for direction in directions]
        await connection.execute(_PLANT, ids, texts, OLD)
        started = time.perf_counter()
        await connection.execute(index)
        print(f"index made in {time.perf_counter() - started:.0f} s")
        await connection.execute("ANALYZE")
        size = await connection.fetchval("SELECT pg_size_pretty(pg_relation_size('places_by_nearness'))")
        print(f"size of the index: {size}")
    return ids


async def _score_again(database: Database, ids: Sequence[UUID], directions: NDArray[np.float64]) -> None:
    """Fold an answer of a new model about each of these images, with and without a place in turn."""
    spent = {True: 0.0, False: 0.0}
    for start in range(0, len(ids), AT_ONCE):
        chosen = range(start, min(start + AT_ONCE, len(ids)))
        for placed in (False, True):
            events = [
                image_scored(
                    image_id=ids[each],
                    full_model_sha256=NEW if placed else OLD,
                    place=_written(directions[each]) if placed else await _place_of(database, ids[each]),
                )
                for each in chosen
            ]
            started = time.perf_counter()
            async with database.transaction() as transaction:
                for event in events:
                    await apply_image_scored([event], transaction)
            spent[placed] += time.perf_counter() - started
    print(
        f"an answer with a new place is folded in {spent[True] / len(ids) * 1000:.1f} ms,"
        f" {spent[True] / spent[False]:.1f} times what one takes whose place is known"
    )


async def _place_of(database: Database, image_id: UUID) -> str:
    text = await database.fetchval("SELECT place::text FROM places WHERE image_id = $1", image_id)
    return encode_place([float(number) for number in text.strip("[]").split(",")]) or ""


async def _ask(database: Database, what: str, ids: Sequence[UUID]) -> None:
    spent: dict[str, list[float]] = {"asked": [], "compared": []}
    hits, wanted = 0, 0
    for image_id in ids:
        found = {}
        for how, few in (("asked", FEW), ("compared", ALL)):
            started = time.perf_counter()
            found[how] = await find_nearest(database, image_id, LIMIT, few) or []
            spent[how].append(time.perf_counter() - started)
        hits += _hits(found["asked"], found["compared"])
        wanted += len(found["compared"])
    (p50, p95), (all_p50, all_p95) = (np.quantile(spent[how], [0.5, 0.95]) for how in spent)
    print(
        f"{what}: p50 {p50 * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms; all places compared {all_p50 * 1000:.1f} and"
        f" {all_p95 * 1000:.1f} ms, {all_p50 / p50:.1f} and {all_p95 / p95:.1f} times as long;"
        f" recall@{LIMIT} {hits / wanted:.4f}"
    )


async def _print_plan(database: Database, image_id: UUID) -> None:
    """Print how PostgreSQL looks for the nearest images of the first model."""
    place = await database.fetchval("SELECT place::text FROM places WHERE image_id = $1", image_id)
    async with database.transaction() as transaction:
        await set_up_search(transaction)
        plan = await transaction.fetch(f"EXPLAIN {NEAREST}", image_id, place, OLD, LIMIT)
    print(next(row[0].strip() for row in plan if "places_by_nearness" in row[0]).split("  (")[0])


def _hits(found: Sequence[Row], exact: Sequence[Row]) -> int:
    """Return how many of the found are among the exact ones, or as near as the last of these."""
    farthest = exact[-1]["distance"] if exact else 0.0
    return sum(row["distance"] <= farthest + 1e-9 for row in found)


if __name__ == "__main__":
    main()
