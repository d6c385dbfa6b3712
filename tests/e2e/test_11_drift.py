"""Other pictures than were learned: one drift, told to people, and over again."""

import json

import pytest

from pappus.demo.drawing import draw_tiles
from shared.clients.labeler import get_champion, list_drifts
from shared.clients.predictor import predict
from shared.testing import eventually

from .demo_run import Told

pytestmark = pytest.mark.timeout(300)
PICTURES = 50
SECONDS = 60.0


async def test_pictures_that_no_model_has_learned_are_noticed_once_and_shown(told: Told) -> None:
    async with told.person() as person, told.running.each_replica() as replicas:
        before = await person.send(list_drifts())
        for number in range(PICTURES):
            await replicas[number % 2].send(predict(draw_tiles(40_000 + number)))

        async def noticed() -> bool:
            return len(await person.send(list_drifts())) > len(before)

        await eventually(noticed, SECONDS)
        newest, *_ = await person.send(list_drifts())
        assert newest.statistic == "features"
        assert newest.value >= newest.threshold
        champion = await person.send(get_champion())
        assert champion is not None
        assert {"confidence", "expected_confidence"} <= set(newest.figures)
    ended = told.pappus("drift", "--json")
    assert ended.returncode == 0, ended.stderr
    assert str(newest.event_id) in {drift["event_id"] for drift in json.loads(ended.stdout)["drifts"]}
