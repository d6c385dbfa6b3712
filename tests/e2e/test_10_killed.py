"""kill -9 in the middle of the work: what was begun is finished, once."""

import os
from collections import defaultdict
from signal import SIGKILL
from uuid import UUID

from pappus.demo.drawing import draw, draw_tiles
from pappus.plants import PlantRow
from pappus.stack.status import ComponentState
from shared.clients.answers import Applied
from shared.clients.labeler import correct_label
from shared.contract.events import ImageRejected, ImageStored
from shared.testing import eventually

from .demo_run import LIVE_SECONDS, Told, brought, other, readable
from .pictures import served

KILLED = ("ingestor", "trainer-gate")
PICTURES = {f"late-{number}.jpg": draw("grass", 5000 + number) for number in range(8)}


def kill(told: Told, name: str) -> None:
    """End a process with SIGKILL."""
    process = told.stack.status().component(name).process
    assert process is not None
    os.kill(process.pid, SIGKILL)


async def outcomes(told: Told) -> dict[UUID, set[UUID]]:
    """Return the events that decided about each image."""
    found: dict[UUID, set[UUID]] = defaultdict(set)
    for record in await told.records([ImageStored.topic, ImageRejected.topic]):
        event = readable(record)
        if isinstance(event, ImageStored) or (isinstance(event, ImageRejected) and not event.retryable):
            found[event.image_id].add(event.event_id)
    return found


async def test_every_row_gets_one_outcome_and_the_correction_becomes_live(told: Told) -> None:
    data, base = draw_tiles(10), told.web
    restarts = {name: told.stack.status().component(name).restarts for name in KILLED}
    label = other((await told.answer(data)).label)
    rows = [PlantRow(f"{base}/{name}", None) for name in PICTURES]

    async def begun() -> bool:
        query = "SELECT count(*) AS rows FROM plants_data WHERE url_source LIKE '%/late-%' AND state = 'stored'"
        return bool((await told.rows("ingestor", query))[0]["rows"])

    async with told.person() as person:
        image = await brought(person, data)
        with served(base, PICTURES, seconds_each=0.4):
            await told.running.plants.insert(rows)
            await eventually(begun, LIVE_SECONDS)
            kill(told, "ingestor")
            done = await person.send(correct_label(image.image_id, label, image.revision, reason="while others die"))
            kill(told, "trainer-gate")
            assert await told.running.plants.wait_for_outcomes(rows, 60, lambda _: None) == {}
    assert isinstance(done, Applied)
    await told.until_answered(data, label)

    query = "SELECT image_id FROM plants_data WHERE url_source LIKE '%/late-%'"
    image_ids = [row["image_id"] for row in await told.rows("ingestor", query)]
    decided = await outcomes(told)
    assert [len(decided[image_id]) for image_id in image_ids] == [1] * len(PICTURES)

    def back() -> bool:
        parts = [told.stack.status().component(name) for name in KILLED]
        return all(part.state is ComponentState.READY and part.restarts == restarts[part.name] + 1 for part in parts)

    await eventually(back, LIVE_SECONDS)
