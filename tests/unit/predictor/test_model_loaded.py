"""What a replica says about itself."""

import asyncio

from services.predictor.model.holder import ServingModel
from services.predictor.model.loader import Failure
from services.predictor.model.onnx_model import Model
from services.predictor.promotions.model_loaded import ModelLoadedReporter
from shared.contract.replicas import ModelLoaded
from shared.testing import MemoryEventLog, eventually
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import small_artefact


def serving(sequence: int) -> ServingModel:
    artefact = small_artefact()
    return ServingModel(promotion(sequence, artefact), Model(artefact), NOON)


def reporter(every_seconds: float = 3600) -> ModelLoadedReporter:
    return ModelLoadedReporter("replica-0", "plants", every_seconds, clock=lambda: NOON)


def test_before_anything_was_loaded_there_is_nothing_to_say() -> None:
    assert reporter().event() is None


def test_a_replica_that_serves_names_version_and_sequence() -> None:
    reporter_ = reporter()
    reporter_.notify(serving(3), None)
    event = reporter_.event()
    assert event is not None
    assert (event.outcome, event.version, event.sequence, event.wanted_version) == ("serving", "fast-3", 3, None)
    assert event.causes == (promotion(3, small_artefact()).event_id,)
    assert event.key == "replica-0"


def test_a_failure_names_what_was_wanted_and_what_still_answers() -> None:
    reporter_ = reporter()
    reporter_.notify(serving(3), Failure(promotion(4), "It has another sha256."))
    event = reporter_.event()
    assert event is not None
    assert (event.outcome, event.version, event.wanted_version) == ("failed", "fast-3", "fast-4")
    assert "sha256" in event.detail


def test_a_failure_without_any_model_is_said_as_well() -> None:
    reporter_ = reporter()
    reporter_.notify(None, Failure(promotion(4), "There is no object."))
    event = reporter_.event()
    assert event is not None
    assert (event.version, event.sequence, event.wanted_version) == (None, None, "fast-4")


async def test_changes_are_published_at_once_and_the_state_is_repeated() -> None:
    event_log, reporter_ = MemoryEventLog(), reporter(every_seconds=0.01)
    async with event_log.publisher("pappus/predictor") as publisher:
        task = asyncio.create_task(reporter_.run(publisher))
        reporter_.notify(serving(1), None)
        await eventually(lambda: len(event_log.events(ModelLoaded)) >= 3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert {event.version for event in event_log.events(ModelLoaded)} == {"fast-1"}
