"""How often the lane and the gate parse an artefact for one correction."""

import asyncio

from services.trainer.data.projection import TOPICS
from services.trainer.gate.model_loader import ModelLoader
from shared.contract.events import ModelTrained
from shared.tables.projection import wait_until_caught_up
from tests.integration.trainer.trainer_env import Parts, World
from tests.unit.trainer.model.counting import counted_parses


async def test_a_correction_costs_the_gate_one_parse_and_the_lane_none(world: World, parts: Parts) -> None:
    lane, gate = parts.lane(), parts.keeper(full=False)
    by_lane, by_gate = [], []
    async with parts.running("projection"):
        await world.dataset()
        await parts.keeper().on_model_trained(await world.full())
        for _ in range(7):  # more than are kept in memory
            image = await world.image("grass", says="dandelion")
            correction = await world.correct(image, "dandelion")
            await wait_until_caught_up(world.event_log, world.database, TOPICS, 10)
            with counted_parses() as counted:
                (candidate,) = await lane.reconcile()
            by_lane.append(counted)
            assert isinstance(candidate, ModelTrained)
            await world.publish(candidate)
            with counted_parses() as counted:
                await gate.on_model_trained(candidate)
            by_gate.append(counted)
            await world.live(correction)
    assert [counted["onnx"] for counted in by_lane] == [1] + [0] * 6  # the champion that another process trained
    assert [counted["onnxruntime"] for counted in by_lane] == [2] + [0] * 6  # backbone, and one graph for all layers
    assert [counted["onnx"] for counted in by_gate] == [2] + [1] * 6  # the champion, which the other gate measured
    assert [counted["onnxruntime"] for counted in by_gate] == [2] + [0] * 6


async def test_two_parts_that_need_a_model_at_once_parse_it_once(world: World, parts: Parts) -> None:
    lane, loader = parts.lane(), ModelLoader(world.store)
    async with parts.running("projection", "gate"):
        await world.dataset()
        await world.verdict(model := await world.full())
    with counted_parses() as by_lane:
        await asyncio.gather(lane.loaded_champion(), lane.loaded_champion())
    with counted_parses() as by_gate:
        await asyncio.gather(loader.load(model), loader.load(model))
    assert by_lane == by_gate == {"onnx": 1, "onnxruntime": 2}  # backbone, and whole graph
