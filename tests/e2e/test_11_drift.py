"""Other pictures than were learned: one drift, told to people, and over again."""

import json

import httpx2
import pytest

from pappus.demo.drawing import draw, draw_tiles
from shared.clients.answers import DriftView
from shared.clients.labeler import list_drifts
from shared.clients.predictor import predict
from shared.runtime.clock import utc_now
from shared.testing import eventually

from .demo_run import Told

pytestmark = pytest.mark.timeout(600)
OTHER, USUAL = 50, 50
SECONDS = 180.0


async def test_pictures_that_no_model_has_learned_are_noticed_once_and_shown(told: Told) -> None:
    async with told.person() as person, told.running.each_replica() as replicas:
        asked = 0

        async def calm() -> bool:
            """Ask about plants until what other tests asked about is no drift any more."""
            nonlocal asked
            for number in range(asked, asked + USUAL):
                await replicas[number % 2].send(predict(draw(("dandelion", "grass")[number % 2], number, seed=41)))
            asked += USUAL
            return "No drift" in await monitored(told)

        await eventually(calm, SECONDS)
        before = {drift.event_id for drift in await person.send(list_drifts())}
        for number in range(OTHER):
            await replicas[number % 2].send(predict(draw_tiles(40_000 + number)))
        all_asked = utc_now()

        async def noticed() -> list[DriftView]:
            """Return the drifts that began with these pictures: among the plants that are asked about afterwards one
            may come by chance, as seldom as the stated run says."""
            new = [drift for drift in await person.send(list_drifts()) if drift.event_id not in before]
            return [drift for drift in new if drift.window_from <= all_asked]

        (drift,) = await eventually(noticed, SECONDS)
        assert drift.statistic == "features"
        assert drift.value >= drift.threshold
        assert {"confidence", "expected_confidence"} <= set(drift.figures)
        await eventually(calm, SECONDS)
        assert await noticed() == [drift]
    ended = told.pappus("drift", "--json")
    assert ended.returncode == 0, ended.stderr
    assert str(drift.event_id) in {each["event_id"] for each in json.loads(ended.stdout)["drifts"]}


async def monitored(told: Told) -> str:
    """Return what the monitor says about drift."""
    async with httpx2.AsyncClient(base_url=told.stack.status().addresses["predictor-monitor"]) as monitor:
        return str((await monitor.get("/health")).json()["parts"]["drift"]["detail"])
