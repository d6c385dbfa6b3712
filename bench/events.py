"""How long does a page of events take with very many images?

Usage: python -m bench.events [--images 100000] [--requests 40]

The images of bench.browse are planted on a PostgreSQL of its own, with the events of their registrations, their storing
and their corrections, and a thousand of models. The API runs in the same process. Each question is asked at the first
page, in the middle, near the end and at the end, where nothing follows, in turns. Prints p50 and p95 in ms, and marks
what is above 150 ms.
"""

import argparse
import asyncio
import tempfile
import time
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2

from bench.browse import SECRET, open_store, plant, print_times
from pappus.stack import Servers
from pappus.stack.testing import servers_in
from services.labeler.accounts.sessions import issue_token
from services.labeler.api.app import create_app
from services.labeler.settings import MIGRATIONS, SCHEMA, LabelerSettings
from shared.runtime.clock import utc_now
from shared.runtime.health import Health
from shared.tables.database import Database
from shared.testing import MemoryEventLog, eventually

LIMIT = 100
MODELS = 1000
_EVENTS = """
INSERT INTO events (event_id, topic, image_id, occurred_at, data)
SELECT gen_random_uuid(), topic, image_id, happened_at, data FROM (
    SELECT 'image.registered' AS topic, image_id, stored_at AS happened_at,
           jsonb_build_object('label', stored_label, 'registered_by', stored_by, 'file_name', file_name) AS data
    FROM images
    UNION ALL
    SELECT 'image.stored', image_id, stored_at + interval '1 second',
           jsonb_build_object('label', stored_label, 'sha256', sha256, 'width', width, 'height', height) FROM images
    UNION ALL
    SELECT 'label.corrected', image_id, occurred_at + interval '2 seconds',
           jsonb_build_object('label_to', label_to, 'corrected_by', corrected_by, 'revision', revision)
    FROM label_history
    UNION ALL
    SELECT 'model.promoted', NULL, '2026-01-01'::timestamptz + number * interval '1700 seconds',
           jsonb_build_object('version', 'full-' || number, 'sequence', number) FROM generate_series(1, $1) AS number
) AS happened ORDER BY happened_at
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=40)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pappus-bench-") as folder:
        Path(folder).chmod(0o711)
        with servers_in(Path(folder) / "state", ("postgres",)) as servers:
            asyncio.run(_measure(servers, arguments.images, arguments.requests))


async def _measure(servers: Servers, images: int, requests: int) -> None:
    url = servers.database_url(SCHEMA)
    async with Database.open(url, SCHEMA, MIGRATIONS) as database:
        await plant(database, images)
        async with database.connection() as connection:
            await connection.execute(_EVENTS.replace("$1", str(MODELS)))
            await connection.execute("ANALYZE")
            newest = await connection.fetchval("SELECT max(number) FROM event_numbers")
        print(f"{newest:,} events")
        image = await database.fetchval("SELECT image_id FROM label_history ORDER BY event_id LIMIT 1")
        settings = LabelerSettings.model_validate({"database_url": url, "session_secret": SECRET})
        health = Health(needed=("tables",))
        app = create_app(settings, MemoryEventLog(), open_store, health)
        token = issue_token("anna", SECRET, utc_now(), timedelta(hours=1))[0]
        transport, headers = httpx2.ASGITransport(app), {"Authorization": f"Bearer {token}"}
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url="http://labeler", headers=headers, timeout=60) as client,
        ):
            await eventually(lambda: health.ready, 60)
            await _ask_all(client, newest, str(image), requests)


async def _ask_all(client: httpx2.AsyncClient, newest: int, image: str, requests: int) -> None:
    places = {"first page": 0, "middle": newest // 2, "near the end": newest - LIMIT // 2, "end": newest}
    asked: dict[str, dict[str, Any]] = {
        "all": {},
        "corrections": {"type": "label.corrected"},
        "promotions": {"type": "model.promoted"},
        "corrections and promotions": {"type": ["label.corrected", "model.promoted"]},
        "a type that never was": {"type": "drift.detected"},
        "one image": {"image": image},
        "one image, its correction": {"image": image, "type": "label.corrected"},
    }
    taken: dict[str, list[float]] = defaultdict(list)
    for _ in range(requests):
        for what, params in asked.items():
            for place, after in places.items():
                started = time.perf_counter()
                response = await client.get("/events", params={"after": after, "limit": LIMIT, **params})
                taken[f"{what}, {place}"].append((time.perf_counter() - started) * 1000)
                assert response.status_code == 200, response.text
    print(f"{'':44}{'p50':>9}{'p95':>8}  ms")
    for what, found in taken.items():
        print_times(what, found, [], width=44)


if __name__ == "__main__":
    main()
