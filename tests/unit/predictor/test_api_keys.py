"""Keys of machines: who may ask a replica, how often, and what of it can be seen."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import structlog
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from services.predictor.api.app import build_app
from services.predictor.api.examples import VERSION
from services.predictor.api.given_answers import GivenAnswers
from services.predictor.api.keys import ApiKey, ApiKeys, read_keys
from services.predictor.api.prediction_log import PredictionLog
from services.predictor.api.predictions import Predictions
from services.predictor.api.turns import Turns
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.model.onnx_model import Model
from shared.runtime.errors import PappusError
from shared.runtime.health import HEALTH_PATHS, Health
from shared.testing import MemoryEventLog, eventually
from tests.examples import operations, send_examples
from tests.unit.predictor.example_answer import example_answer
from tests.unit.predictor.example_batches import SUBMISSIONS, ExampleBatches
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import picture, small_artefact
from tests.unit.predictor.test_api import ROUTES

KEY, SLOW = "pappus_a-long-random-word", "pappus_another-one"
OPEN = ("/v2/health/live", "/v2/health/ready", "/ping")
"""What is asked before a request: it tells no more than the health paths."""
LONG_WAY = {"sec-fetch-site": "none"}
"""What a browser sends: such a request is not answered by the short way."""


def entry(name: str, key: str, per_minute: int | None = None) -> ApiKey:
    return ApiKey(name=name, sha256=hashlib.sha256(key.encode()).hexdigest(), per_minute=per_minute)


class Time:
    """Seconds that go on when a test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def keys(time: Time) -> ApiKeys:
    made = ApiKeys(time)
    made.set_all([entry("shop", KEY), entry("camera", SLOW, per_minute=2)])
    return made


@pytest.fixture
def prediction_log() -> PredictionLog:
    return PredictionLog(limit=100, gather_seconds=0.0)


@pytest.fixture
async def client(keys: ApiKeys, prediction_log: PredictionLog) -> AsyncIterator[httpx2.AsyncClient]:
    """A replica with a model that asks for keys."""
    in_service, artefact = ModelHolder(), small_artefact()
    in_service.swap(ServingModel(promotion(1, artefact, VERSION), Model(artefact), NOON))
    predictions = Predictions(in_service, prediction_log, "replica-0", Turns(0.25, 2))
    app = build_app(
        predictions,
        Health(needed=set()),
        300_000,
        keys=keys,
        answers=GivenAnswers(example_answer, batches=ExampleBatches()),
        submissions=SUBMISSIONS,
    )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://replica") as opened:
        yield opened


async def ask(client: httpx2.AsyncClient, **headers: str) -> httpx2.Response:
    return await client.post("/predict", files={"file": picture()}, headers=headers)


def requests(key: str, outcome: str) -> float:
    return REGISTRY.get_sample_value("pappus_api_key_requests_total", {"key": key, "outcome": outcome}) or 0.0


@pytest.mark.parametrize("headers", [{"Authorization": f"bearer {KEY}"}, {"X-Api-Key": KEY}])
async def test_a_key_opens_the_door_in_either_header(client: httpx2.AsyncClient, headers: dict[str, str]) -> None:
    assert (await ask(client, **headers)).status_code == 200
    assert (await client.get("/model", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer "}, {"Authorization": f"Basic {KEY}"}, {"X-Api-Key": f"{KEY}x"}]
)
async def test_without_a_known_key_nothing_is_answered(client: httpx2.AsyncClient, headers: dict[str, str]) -> None:
    before = requests("", "unauthorised")
    for refused in (await ask(client, **headers), await client.get("/model", headers=headers)):
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["error"] == "unauthorised"
        assert "pappus keys add" in refused.json()["detail"]
        assert KEY not in refused.text
    assert requests("", "unauthorised") == before + 2


async def test_a_key_of_odd_bytes_is_refused_like_any_other(client: httpx2.AsyncClient) -> None:
    refused = await client.get("/model", headers=[(b"X-Api-Key", b"\xff\xfe\x80")])
    assert refused.status_code == 401


@pytest.mark.parametrize("path", [*HEALTH_PATHS, *OPEN, "/", "/docs", "/docs/start.js", "/openapi.json"])
async def test_health_and_the_description_stay_open(client: httpx2.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 200


async def test_each_example_runs_with_a_key_and_the_page_asks_for_one(client: httpx2.AsyncClient) -> None:
    assert await send_examples(client, {"X-Api-Key": KEY}) == ROUTES
    document = (await client.get("/openapi.json")).json()
    (scheme,) = document["components"]["securitySchemes"].items()
    assert scheme[0] == "key"
    assert (scheme[1]["type"], scheme[1]["in"], scheme[1]["name"]) == ("apiKey", "header", "X-Api-Key")
    for operation in operations(document):
        if operation.path in OPEN:
            assert "security" not in operation.described
            continue
        assert operation.described["security"] == [{"key": []}], str(operation)
        assert {"401", "429"} <= set(operation.described["responses"]), str(operation)


async def test_the_page_offers_no_form_where_a_key_is_needed(client: httpx2.AsyncClient) -> None:
    assert "<form" not in (await client.get("/")).text


async def test_above_its_limit_a_key_waits_and_then_goes_on(client: httpx2.AsyncClient, time: Time) -> None:
    before = requests("camera", "limited")
    answers = [await ask(client, **{"X-Api-Key": SLOW}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "30"
    assert answers[2].json()["error"] == "too_many_requests"
    assert requests("camera", "limited") == before + 1
    assert (await ask(client, **{"X-Api-Key": KEY})).status_code == 200
    time.now += 30
    assert [(await ask(client, **{"X-Api-Key": SLOW})).status_code for _ in "12"] == [200, 429]


async def test_a_limit_goes_on_when_the_file_is_written_again(keys: ApiKeys, time: Time) -> None:
    camera = entry("camera", SLOW, per_minute=2)
    assert [keys.wait_seconds(camera) for _ in "12"] == [0, 0]
    keys.set_all([camera])
    assert keys.wait_seconds(camera) == 30
    keys.set_all([])
    keys.set_all([camera])
    assert keys.wait_seconds(camera) == 0


async def test_the_name_of_the_key_is_logged_and_the_key_is_not(
    client: httpx2.AsyncClient, prediction_log: PredictionLog
) -> None:
    async with MemoryEventLog().publisher("pappus/tests") as publisher:
        writing = asyncio.create_task(prediction_log.run(publisher))
        with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
            for further in ({}, LONG_WAY):
                await ask(client, Authorization=f"Bearer {KEY}", **further)
            metrics = (await client.get("/metrics")).text
            await eventually(lambda: len([line for line in lines if line["event"] == "answered"]) == 2)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    assert [line["api_key"] for line in lines if line["event"] == "answered"] == ["shop", "shop"]
    assert 'pappus_api_key_requests_total{key="shop",outcome="admitted"}' in metrics
    assert KEY not in json.dumps(lines, default=str) + metrics


async def test_a_key_that_is_removed_from_the_file_is_out_at_once(
    client: httpx2.AsyncClient, keys: ApiKeys, tmp_path: Path
) -> None:
    path, health = tmp_path / "api-keys.json", Health()
    followed = keys.followed(path, health)
    path.write_text(json.dumps([entry("shop", KEY).model_dump()]))
    await followed.look()
    assert (await ask(client, **{"X-Api-Key": KEY})).status_code == 200
    assert (await ask(client, **{"X-Api-Key": SLOW})).status_code == 401
    path.write_text("[]")
    await followed.look()
    assert (await ask(client, **{"X-Api-Key": KEY})).status_code == 401
    assert health.ok


@pytest.mark.parametrize("text", [None, "{", '[{"name": "shop"}]'])
async def test_a_broken_file_keeps_the_keys_and_turns_the_health_red(
    client: httpx2.AsyncClient, keys: ApiKeys, tmp_path: Path, text: str | None
) -> None:
    path, health = tmp_path / "api-keys.json", Health()
    if text is not None:
        path.write_text(text)
    await keys.followed(path, health).look()
    state = health.state("api keys")
    assert state is not None
    assert "PAPPUS_API_KEYS_FILE" in state.detail
    assert (await ask(client, **{"X-Api-Key": KEY})).status_code == 200
    assert (await ask(client)).status_code == 401


def test_a_start_without_the_file_it_was_told_of_ends(tmp_path: Path) -> None:
    assert not ApiKeys.load(None).asked_for
    with pytest.raises(PappusError, match="Correct PAPPUS_API_KEYS_FILE"):
        ApiKeys.load(tmp_path / "missing.json")


@pytest.mark.parametrize(
    "entries",
    [
        {"name": "shop"},
        [{"name": "shop", "sha256": KEY}],
        [{"name": "a b", "sha256": "0" * 64}],
        [{"name": "shop", "sha256": "0" * 64, "per_minute": 0}],
        [{"name": "shop", "sha256": "0" * 64, "per_hour": 1}],
        [{"name": "shop", "sha256": "0" * 64}, {"name": "shop", "sha256": "1" * 64}],
        [{"name": "shop", "sha256": "0" * 64}, {"name": "other", "sha256": "0" * 64}],
    ],
)
def test_a_file_of_another_form_is_refused_in_a_sentence(tmp_path: Path, entries: object) -> None:
    path = tmp_path / "api-keys.json"
    path.write_text(json.dumps(entries))
    with pytest.raises(PappusError, match="is no list of API keys") as refused:
        read_keys(path)
    assert KEY not in str(refused.value)


def test_each_change_of_the_keys_is_in_the_audit_log_without_them() -> None:
    shop, camera = entry("shop", KEY), entry("camera", SLOW)
    with capture_logs() as lines:
        keys = ApiKeys()
        for entries in ([shop], [shop, camera], [shop, entry("camera", SLOW, 5)], [camera], [camera]):
            keys.set_all(entries)
    acts = [(line["act"], line["on"]) for line in lines if line["event"] == "audit"]
    assert acts == [
        ("load_keys", "shop"),
        ("add_key", "camera"),
        ("change_key", "camera"),
        ("change_key", "camera"),
        ("remove_key", "shop"),
    ]
    assert {(line["who"], line["outcome"]) for line in lines} == {("the keys file", "done")}
    assert shop.sha256 not in str(lines)
