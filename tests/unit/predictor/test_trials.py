"""Which candidate is tried in a replica, on which requests, and what is reported."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.predictor.api.app import build_app
from services.predictor.api.prediction_log import PredictionLog
from services.predictor.api.predictions import Predictions
from services.predictor.api.trial_answers import WAITING, TrialAnswers
from services.predictor.api.turns import Turns
from services.predictor.decisions.trials import Trials, fold_trial, is_in_share
from services.predictor.model.artefact_folder import ArtefactFolder
from services.predictor.model.candidates import CandidateModels
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.model.model_files import ModelFiles
from services.predictor.model.onnx_model import Model
from services.predictor.model.trial import LOAD_ATTEMPTS, Trial, TrialHolder
from services.predictor.promotions.trial_compared import TrialReporter
from services.predictor.promotions.trial_follower import TrialFollower
from shared.contract.events import ModelPromoted, ModelRejected, uuid_of
from shared.contract.replicas import AnswersLogged, LoggedAnswer
from shared.contract.trials import TrialCompared, TrialStarted
from shared.runtime.health import Health
from shared.runtime.retry import RetryPolicy
from shared.testing import FixedClock, MemoryEventLog, eventually, model_rejected, trial_started
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import picture, sha256_of, small_artefact
from tests.unit.predictor.test_candidates import CountingStore

CHAMPION, AGREES, DIFFERS = (small_artefact(bias=bias) for bias in ((1.0, 0.0), (2.0, 0.0), (0.0, 9.0)))
BLACK = picture(0, 0, 0)
QUICK = RetryPolicy(0.01, 1.0, 0.01, attempts=None)
SOON = NOON + timedelta(minutes=5)


def trial(artefact: bytes = AGREES, version: str = "full-2", **changes: object) -> TrialStarted:
    """Return a trial of this artefact on every request."""
    values: dict[str, object] = {
        "version": version,
        "cause": uuid_of("model.trained", version),
        "artefact_key": f"models/{version}/model.onnx",
        "artefact_sha256": sha256_of(artefact),
        "share": 1.0,
        "ends_at": NOON + timedelta(hours=1),
    }
    return trial_started(**{**values, **changes})


def fold(*events: TrialStarted | ModelPromoted | ModelRejected) -> Trials:
    state = Trials()
    for event in events:
        state = fold_trial(state, event)
    return state


def by_person(sequence: int, route: str = "freeze") -> ModelPromoted:
    return promotion(sequence).model_copy(update={"route": route})


@given(order=st.permutations("ttppr"), times=st.integers(1, 2))
def test_a_trial_goes_on_with_corrections_in_any_order_between_topics(order: list[str], times: int) -> None:
    started, same_candidate = trial(), trial(version="full-1", cause=trial().cause)
    topics: dict[str, Iterator[TrialStarted | ModelPromoted | ModelRejected]] = {
        "t": iter([started, same_candidate]),
        "p": iter([promotion(1), promotion(2)]),
        "r": iter([model_rejected(causes=(uuid4(),))]),
    }
    told = [event for topic in order for event in [next(topics[topic])] * times]
    assert fold(*told).current(SOON) == started


ENDS: dict[str, list[TrialStarted | ModelPromoted | ModelRejected]] = {
    "its rejection": [model_rejected(causes=(trial().cause,))],
    "its promotion": [promotion(1), promotion(2).model_copy(update={"lane": "full"})],
    "a freeze": [promotion(1), by_person(2)],
    "a rollback": [promotion(1), by_person(2, "rollback")],
    "another trial": [trial(version="full-3", ends_at=NOON)],
}


@pytest.mark.parametrize("name", ENDS)
def test_a_trial_is_ended_by(name: str) -> None:
    assert fold(trial(), *ENDS[name]).current(SOON) is None
    if name != "another trial":
        assert fold(*ENDS[name], trial()).current(SOON) is None


def test_what_was_decided_before_a_trial_does_not_end_it() -> None:
    assert fold(by_person(1, "unfreeze"), promotion(2), trial(sequence=2)).current(SOON) is not None
    assert fold(trial(), by_person(7)).current(SOON) is not None  # that promotion does not count
    assert fold(trial()).current(NOON + timedelta(hours=1)) is None


@given(share=st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_a_share_of_the_requests_is_chosen_by_their_ids(share: float) -> None:
    ids = [uuid_of("request", number) for number in range(2000)]
    chosen = [one for one in ids if is_in_share(one, share)]
    assert abs(len(chosen) / len(ids) - share) < 0.04
    assert chosen == [one for one in ids if is_in_share(one, share)]


class Replica:
    """A replica with a champion, and what tries candidates in it."""

    def __init__(self, folder: Path, longest_seconds: float) -> None:
        self.store, self.clock = CountingStore(), FixedClock(SOON)
        self.candidates = CandidateModels(ModelFiles(self.store, ArtefactFolder(folder)))
        self.holder = TrialHolder(self.candidates, QUICK, self.clock)
        self.turns = Turns(5.0, 64)
        self.answers = TrialAnswers(self.holder, self.turns, longest_seconds)
        self.log, in_service = PredictionLog(1000), ModelHolder()
        in_service.swap(ServingModel(promotion(1, CHAMPION), Model(CHAMPION), NOON))
        predictions = Predictions(in_service, self.log, "api-0", self.turns, trials=self.answers)
        transport = httpx2.ASGITransport(build_app(predictions, Health(needed=set()), 100_000))
        self.client = httpx2.AsyncClient(transport=transport, base_url="http://replica")
        self.reporter = TrialReporter(self.holder, "api-0", 0.01, self.clock)

    @property
    def trial(self) -> Trial:
        assert self.holder.newest is not None
        return self.holder.newest

    async def begin(self, started: TrialStarted, artefact: bytes | None) -> None:
        """Begin a trial; None: its artefact is not in the store."""
        if artefact is not None:
            await self.store.put(started.artefact_key, artefact)
        self.holder.set_target(fold(started))

    async def ask(self, image: bytes = BLACK) -> dict[str, object]:
        """Return an answer."""
        response = await self.client.post("/predict", files={"file": ("a.png", image, "image/png")})
        assert response.status_code == 200, response.text
        body: dict[str, object] = response.json()
        return body


@asynccontextmanager
async def running(*parts: Callable[[], Coroutine[None, None, None]]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(part()) for part in parts]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def longest_seconds() -> float:
    """How long an image waits for a moment without requests: longer than any test."""
    return 1e6


@pytest.fixture
async def replica(tmp_path: Path, longest_seconds: float) -> AsyncIterator[Replica]:
    made = Replica(tmp_path, longest_seconds)
    async with made.client, running(made.holder.run):
        yield made
    await made.candidates.close()


def loaded(replica: Replica) -> bool:
    return replica.answers.current is not None


@pytest.mark.parametrize(("artefact", "differ"), [(AGREES, 0), (DIFFERS, 3)])
async def test_in_shadow_the_champion_answers_and_the_candidate_is_compared(
    replica: Replica, artefact: bytes, differ: int
) -> None:
    await replica.begin(trial(artefact), artefact)
    await eventually(lambda: loaded(replica))
    async with running(replica.answers.run):
        bodies = [await replica.ask() for _ in range(3)]
        await eventually(lambda: replica.trial.compared == 3)
    assert {(body["label"], body["model_version"]) for body in bodies} == {("dandelion", "fast-1")}
    assert (replica.trial.disagreed, replica.trial.failed, replica.trial.dropped) == (differ, 0, 0)


@pytest.mark.parametrize(("artefact", "label", "differ"), [(AGREES, "dandelion", 0), (DIFFERS, "grass", 3)])
async def test_in_canary_the_answer_and_the_log_name_the_candidate(
    replica: Replica, artefact: bytes, label: str, differ: int
) -> None:
    await replica.begin(trial(artefact, mode="canary"), artefact)
    await eventually(lambda: loaded(replica))
    event_log = MemoryEventLog()
    async with (
        event_log.publisher("pappus/predictor") as publisher,
        running(replica.answers.run, lambda: replica.log.run(publisher)),
    ):
        bodies = [await replica.ask() for _ in range(3)]
        await eventually(lambda: replica.trial.compared == 3)
        await eventually(lambda: len(logged(event_log)) == 3)
    assert {(body["label"], body["model_version"], body["model_sequence"]) for body in bodies} == {(label, "full-2", 1)}
    assert {(one.label, one.model_version, one.drift_reference) for one in logged(event_log)} == {(label, "full-2", "")}
    assert (replica.trial.disagreed, replica.trial.failed) == (differ, 0)
    assert (await replica.client.get("/model")).json()["version"] == "fast-1"


@pytest.mark.parametrize("mode", ["shadow", "canary"])
async def test_the_images_of_a_batch_are_answered_by_the_champion_and_compared(replica: Replica, mode: str) -> None:
    await replica.begin(trial(DIFFERS, mode=mode), DIFFERS)
    await eventually(lambda: loaded(replica))
    images = [b64encode(BLACK).decode() for _ in range(3)]
    async with running(replica.answers.run):
        response = await replica.client.post("/invocations", json={"instances": images})
        await eventually(lambda: replica.trial.compared == 3)
    answers = response.json()["predictions"]
    assert [(one["label"], one["model_version"]) for one in answers] == [("dandelion", "fast-1")] * 3
    assert replica.trial.disagreed == 3


async def test_in_canary_others_than_the_share_get_the_answer_of_the_champion(replica: Replica) -> None:
    await replica.begin(trial(DIFFERS, mode="canary", share=0.5), DIFFERS)
    await eventually(lambda: loaded(replica))
    bodies = [await replica.ask() for _ in range(40)]
    for body in bodies:
        chosen = is_in_share(UUID(str(body["prediction_id"])), 0.5)
        assert (body["label"], body["model_version"]) == (("grass", "full-2") if chosen else ("dandelion", "fast-1"))
    assert len({body["model_version"] for body in bodies}) == 2


async def test_where_a_candidate_gives_no_answer_the_champion_does(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    await replica.begin(trial(DIFFERS, mode="canary"), DIFFERS)
    await eventually(lambda: loaded(replica))
    assert replica.answers.current is not None

    def broken(_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(replica.answers.current.model, "answer", broken)
    body = await replica.ask()
    assert (body["label"], body["model_version"]) == ("dandelion", "fast-1")
    assert (replica.trial.failed, replica.trial.compared) == (1, 0)
    assert "out of memory" in replica.trial.detail


@pytest.mark.parametrize("mode", ["shadow", "canary"])
async def test_an_image_that_is_none_is_no_failure_of_the_candidate(replica: Replica, mode: str) -> None:
    await replica.begin(trial(mode=mode), AGREES)
    await eventually(lambda: loaded(replica))
    refused = await replica.client.post("/predict", files={"file": ("a.png", b"<html>", "image/png")})
    assert (refused.status_code, refused.json()["error"]) == (422, "not_an_image")
    assert (replica.trial.failed, replica.trial.compared, replica.trial.dropped) == (0, 0, 0)


def logged(event_log: MemoryEventLog) -> list[LoggedAnswer]:
    return [answer for event in event_log.events(AnswersLogged) for answer in event.answers]


async def test_nothing_is_computed_before_the_answer_is_given(replica: Replica) -> None:
    await replica.begin(trial(DIFFERS), DIFFERS)
    await eventually(lambda: loaded(replica))
    async with running(replica.answers.run):
        with await replica.turns.take("another client"):
            asked = asyncio.ensure_future(replica.ask())
            await eventually(lambda: replica.turns.busy)
            assert replica.trial.compared == 0
        assert (await asked)["label"] == "dandelion"
        await eventually(lambda: replica.trial.compared == 1)


@pytest.mark.parametrize("longest_seconds", [0.05])
async def test_what_finds_no_time_is_dropped_and_counted(replica: Replica) -> None:
    await replica.begin(trial(), AGREES)
    await eventually(lambda: loaded(replica))
    for _ in range(WAITING + 3):  # they wait, and there is room for so many
        await replica.ask()
    assert replica.trial.dropped == 3
    with await replica.turns.take("a request that takes long"):
        async with running(replica.answers.run):
            await eventually(lambda: replica.trial.dropped > 3)
    assert replica.trial.compared == 0


async def test_only_the_share_is_compared(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    ids: Iterator[UUID] = iter([uuid_of("request", number) for number in range(20)])
    wanted = sum(is_in_share(uuid_of("request", number), 0.3) for number in range(20))
    monkeypatch.setattr("services.predictor.api.predictions.uuid4", lambda: next(ids))
    await replica.begin(trial(share=0.3), AGREES)
    await eventually(lambda: loaded(replica))
    async with running(replica.answers.run):
        for _ in range(20):
            await replica.ask()
        await eventually(lambda: replica.trial.compared == wanted)
    assert 0 < wanted < 20


async def test_a_candidate_that_cannot_serve_fails_a_late_one_is_waited_for(replica: Replica) -> None:
    await replica.begin(trial(AGREES), b"no artefact")
    await eventually(lambda: replica.holder.newest is not None and replica.trial.failed == 1)
    assert "sha256" in replica.trial.detail
    assert len(replica.store.asked) == LOAD_ATTEMPTS
    assert not loaded(replica)
    replica.store.away = True
    await replica.begin(trial(AGREES, "full-3"), None)
    await eventually(lambda: replica.trial.event.version == "full-3")
    replica.store.away = False
    await replica.store.put("models/full-3/model.onnx", AGREES)
    await eventually(lambda: loaded(replica))
    assert replica.trial.failed == 0


async def test_a_trial_ends_with_its_time_and_with_what_the_log_says(replica: Replica) -> None:
    started = trial()
    await replica.begin(started, AGREES)
    await eventually(lambda: loaded(replica))
    replica.holder.set_target(fold(started, promotion(1), by_person(2)))
    assert not loaded(replica)
    await replica.begin(later := trial(version="full-3", ends_at=SOON + timedelta(seconds=0.1)), AGREES)
    await eventually(lambda: loaded(replica))
    replica.clock.move(1.0)
    await eventually(lambda: not loaded(replica))
    assert replica.trial.event == later


async def test_corrections_that_come_meanwhile_leave_the_candidate_in_memory(replica: Replica) -> None:
    started = trial()
    await replica.begin(started, AGREES)
    await eventually(lambda: loaded(replica))
    for number in range(5):
        replica.candidates.begin(trial(small_artefact(bias=(number, 1.0)), f"other-{number}"))
    assert await replica.candidates.take(started) is not None  # only the swap is left when it is promoted


async def test_counts_are_reported_when_they_changed(replica: Replica) -> None:
    event_log = MemoryEventLog()
    await replica.begin(started := trial(), AGREES)
    await eventually(lambda: loaded(replica))
    async with event_log.publisher("pappus/predictor") as publisher, running(lambda: replica.reporter.run(publisher)):
        assert replica.reporter.event() is None
        replica.trial.count(agreed=False)
        await eventually(lambda: len(event_log.events(TrialCompared)) == 1)
        replica.trial.count(agreed=True)
        replica.trial.drop()
        await eventually(lambda: event_log.events(TrialCompared)[-1].dropped == 1)
    last = event_log.events(TrialCompared)[-1]
    assert (last.trial, last.version, last.replica) == (started.event_id, "full-2", "api-0")
    assert (last.compared, last.disagreed, last.failed, last.run) == (2, 1, 0, replica.trial.run)


async def test_a_replica_that_starts_sees_no_trial_that_is_over() -> None:
    event_log, health = MemoryEventLog(), Health()
    async with event_log.publisher("pappus/trainer") as publisher:
        await publisher.publish([trial(), model_rejected(causes=(trial().cause,))])
        found: list[Trials] = []
        follower = TrialFollower(event_log, found.append, "plants", health, QUICK)
        async with running(follower.run):
            await eventually(lambda: bool(found))
            assert found[0].current(SOON) is None
            event_log.append(TrialStarted.topic, "plants", b"no event")
            await publisher.publish([newer := trial(version="full-3"), trial(version="x", model_name="fungi")])
            await eventually(lambda: found[-1].current(SOON) == newer)


async def test_without_a_trial_answers_are_logged_as_ever(replica: Replica) -> None:
    event_log = MemoryEventLog()
    body = await replica.ask()
    async with event_log.publisher("pappus/predictor") as publisher, running(lambda: replica.log.run(publisher)):
        await eventually(lambda: bool(event_log.events(AnswersLogged)))
    [answer] = event_log.events(AnswersLogged)[0].answers
    assert (str(answer.prediction_id), answer.model_version) == (body["prediction_id"], "fast-1")
