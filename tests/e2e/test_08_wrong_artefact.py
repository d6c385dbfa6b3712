"""A promotion that no replica may serve: the artefact has another hash than it says."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from pappus.demo.drawing import draw_tiles
from shared.contract.events import ModelPromoted
from shared.contract.race_rules import promotion_counts
from shared.contract.replicas import ModelLoaded
from shared.testing import eventually

from .demo_run import LIVE_SECONDS, Told, readable

REPLICAS = {"predictor-api-0", "predictor-api-1"}


async def promotions(told: Told) -> list[ModelPromoted]:
    """Return those that count."""
    counting: list[ModelPromoted] = []
    for record in await told.records([ModelPromoted.topic]):
        event = readable(record)
        if isinstance(event, ModelPromoted) and promotion_counts(
            counting[-1].sequence if counting else 0, event.sequence
        ):
            counting.append(event)
    return counting


async def last_words(told: Told) -> dict[str, ModelLoaded]:
    """Return what each replica said last."""
    events = [readable(record) for record in await told.records([ModelLoaded.topic])]
    return {event.replica: event for event in events if isinstance(event, ModelLoaded)}


def with_wrong_hash(counting: Sequence[ModelPromoted]) -> ModelPromoted:
    """Return the next promotion: back to the first model, frozen, but not with its hash."""
    first, last = counting[0], counting[-1]
    changes = {
        "event_id": uuid4(),
        "occurred_at": datetime.now(UTC),
        "causes": (uuid4(),),
        "sequence": last.sequence + 1,
        "replaces": last.version,
        "artefact_sha256": "0" * 64,
        "frozen": True,
        "summary": "Promoted by a test.",
        "answers": None,
    }
    return first.model_copy(update=changes)


async def test_predictors_refuse_it_say_so_and_go_on_and_a_rollback_heals(told: Told) -> None:
    data = draw_tiles(8)
    before, counting = await told.answer(data), await promotions(told)
    wrong = with_wrong_hash(counting)
    async with told.event_log() as event_log, event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish([wrong])

    async def all_failed() -> dict[str, ModelLoaded] | None:
        words = await last_words(told)
        return words if all(words[name].outcome == "failed" for name in REPLICAS) else None

    failed = await eventually(all_failed, LIVE_SECONDS)
    assert failed is not None
    for name in REPLICAS:
        assert failed[name].wanted_version == wrong.version
        assert failed[name].version == before.model_version
        assert "Restore the object" in failed[name].detail
    during = await told.answer(data)
    assert (during.probabilities, during.model_version) == (before.probabilities, before.model_version)

    ended = told.pappus("rollback", before.model_version, "--reason", "its successor cannot be loaded")
    assert ended.returncode == 0, ended.stderr

    async def all_serve() -> bool:
        words = await last_words(told)
        return {(words[name].outcome, words[name].sequence) for name in REPLICAS} == {("serving", wrong.sequence + 1)}

    await eventually(all_serve, LIVE_SECONDS)
    assert (await told.answer(data)).probabilities == before.probabilities
    assert told.pappus("unfreeze").returncode == 0
