"""What a day of a million predictions costs to delete, row by row and as a table of its own, and what folding costs.

    python -m bench.prediction_days [--rows 1000000] [--answers 40000]

On a PostgreSQL of its own the table `predictions` is made twice: of days, as it is, and in one piece, as it was. Both
fold the same records of `answers.logged` in turns, 200 answers each; then each is filled with a day of rows that is too
old, and loses it again. Printed: answers a second, how long the day takes to go, and how long the slowest record took
that was folded meanwhile.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pappus.stack import Servers
from pappus.stack.testing import servers_in
from services.predictor.data.prediction_days import keep_days
from services.predictor.data.projection import MIGRATIONS, SCHEMA, apply_answers_logged
from shared.tables.database import Database
from shared.testing import answers_logged, prediction_logged

A_RECORD, AT_ONCE = 200, 50_000
KEPT_DAYS = 14
OLD = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=KEPT_DAYS)
ONE_PIECE = """
DROP TABLE predictions;
CREATE TABLE predictions (LIKE {days}.predictions, PRIMARY KEY (prediction_id, occurred_at));
CREATE INDEX predictions_of_image ON predictions (image_id, occurred_at) WHERE image_id IS NOT NULL;
CREATE INDEX predictions_of_bytes ON predictions (sha256, occurred_at);
CREATE INDEX predictions_by_age ON predictions (occurred_at);
"""
DELETE = "DELETE FROM predictions WHERE occurred_at < $1"
FILL = """
INSERT INTO predictions
SELECT gen_random_uuid(), $1::timestamptz + number * $2::interval, 'plants', 'v1', 'api', NULL,
       md5(number::text) || md5(number::text), 'dandelion', '{"dandelion": 0.9, "grass": 0.1}', '{}',
       array_fill(0.5::double precision, ARRAY[16]), 3.1, 'api-0'
FROM generate_series($3::integer + 1, $4) AS number
"""


async def fold(database: Database, answers: int, moment: datetime) -> float:
    """Fold answers of this moment; return the seconds."""
    records = [
        answers_logged(*(prediction_logged(occurred_at=moment, image_id=None) for _ in range(A_RECORD)))
        for _ in range(answers // A_RECORD)
    ]
    began = time.perf_counter()
    for record in records:
        async with database.transaction() as transaction:
            await apply_answers_logged([record], transaction)
    return time.perf_counter() - began


async def fill(database: Database, rows: int) -> None:
    """Insert a day of rows that is too old."""
    for first in range(0, rows, AT_ONCE):
        await database.execute(FILL, OLD, timedelta(days=1) / (rows + 1), first, min(first + AT_ONCE, rows))
    await database.execute("ANALYZE predictions")


async def measure(servers: Servers, rows: int, answers: int) -> None:
    """Measure, and print the figures."""
    url, now = servers.database_url("predictor"), datetime.now(UTC)
    async with (
        Database.open(url, SCHEMA, MIGRATIONS) as days,
        Database.open(url, f"{SCHEMA}_replay", MIGRATIONS) as piece,
    ):
        await piece.execute(ONE_PIECE.format(days=SCHEMA))
        taken = {"of days": 0.0, "in one piece": 0.0}
        for turn in range(10):
            tables = [("of days", days), ("in one piece", piece)]
            for name, database in tables if turn % 2 else reversed(tables):
                taken[name] += await fold(database, answers // 10, now)
        rates = {name: answers / seconds for name, seconds in taken.items()}
        print(", ".join(f"{name}: {rate:,.0f} answers folded a second" for name, rate in rates.items()))
        print(f"ratio: {rates['of days'] / rates['in one piece']:.2f}")
        for database in (days, piece):
            await fill(database, rows)
        deleting = await beside_folding(piece, piece.execute(DELETE, OLD + timedelta(days=1)), now)
        dropping = await beside_folding(days, keep_days(days, now + timedelta(days=1), KEPT_DAYS), now)
        found = await days.fetchval("SELECT to_regclass($1)", f"predictions_{OLD:%Y%m%d}")
        assert found is None
        print(f"a day of {rows:,} rows: deleted in {deleting}; dropped in {dropping}")


async def beside_folding(database: Database, going: Coroutine[Any, Any, object], moment: datetime) -> str:
    """Let a day go while records are folded; return how long it took, and the slowest record."""
    began, slowest = time.perf_counter(), 0.0
    task = asyncio.create_task(going)
    while not task.done():
        slowest = max(slowest, await fold(database, A_RECORD, moment))
    await task
    return f"{time.perf_counter() - began:.2f} s, the slowest record meanwhile {slowest * 1000:.0f} ms"


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--answers", type=int, default=40_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pappus-bench-") as folder:
        Path(folder).chmod(0o711)
        with servers_in(Path(folder) / "state", ("postgres",)) as servers:
            asyncio.run(measure(servers, options.rows, options.answers))


if __name__ == "__main__":
    main()
