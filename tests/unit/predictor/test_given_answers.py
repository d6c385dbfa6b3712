"""Answers that were given, by their ids, and what happens while the table of them cannot be asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import httpx2
import pytest

from services.predictor.api.app import build_app
from services.predictor.api.given_answers import GivenAnswers
from services.predictor.api.prediction_log import PredictionLog
from services.predictor.api.predictions import Predictions
from services.predictor.api.turns import Turns
from services.predictor.data.logged_answers import GivenAnswer
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.model.onnx_model import Model
from services.predictor.settings import PredictorSettings
from shared.runtime.health import Health
from shared.tables.lookups import Lookups, TablesAway
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import picture, small_artefact

CLOSED = "postgresql://predictor_api@127.0.0.1:1/pappus"
ANSWER = GivenAnswer(
    prediction_id=uuid4(),
    answered_at=NOON,
    model_name="plants",
    model_version="fast-3",
    source="api",
    image_id=None,
    sha256="ab" * 32,
    label="grass",
    probabilities={"dandelion": 0.25, "grass": 0.75},
    corrections=(UUID(int=5),),
    milliseconds=1.5,
    replica="replica-1",
)


@asynccontextmanager
async def replica(answers: GivenAnswers | None) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a client of a replica with a model."""
    artefact, in_service = small_artefact(), ModelHolder()
    in_service.swap(ServingModel(promotion(1, artefact), Model(artefact), NOON))
    predictions = Predictions(in_service, PredictionLog(limit=10), "replica-0", Turns(0.25, 2))
    app = build_app(predictions, Health(needed=set()), 300_000, answers=answers)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://replica") as client:
        yield client


async def known(prediction_id: UUID) -> GivenAnswer | None:
    return ANSWER if prediction_id == ANSWER.prediction_id else None


async def test_an_answer_is_shown_as_it_was_logged() -> None:
    async with replica(GivenAnswers(known)) as client:
        response = await client.get(f"/predictions/{ANSWER.prediction_id}")
    assert response.status_code == 200
    assert response.json() == {
        "prediction_id": str(ANSWER.prediction_id),
        "answered_at": NOON.isoformat().replace("+00:00", "Z"),
        "label": "grass",
        "name": "grass",
        "probabilities": {"dandelion": 0.25, "grass": 0.75},
        "model_name": "plants",
        "model_version": "fast-3",
        "sha256": "ab" * 32,
        "image_id": None,
        "corrections": [str(UUID(int=5))],
        "source": "api",
        "milliseconds": 1.5,
        "replica": "replica-1",
    }


async def test_an_unknown_id_is_404_and_says_when_answers_are_there() -> None:
    async with replica(GivenAnswers(known, days=3)) as client:
        response = await client.get(f"/predictions/{uuid4()}")
    assert (response.status_code, response.json()["error"]) == (404, "unknown_prediction")
    assert "within a second or so" in response.json()["detail"]
    assert "for 3 days" in response.json()["detail"]


async def test_what_is_no_uuid_is_422() -> None:
    async with replica(GivenAnswers(known)) as client:
        response = await client.get("/predictions/the-last-one")
    assert (response.status_code, response.json()["error"]) == (422, "invalid_request")


async def refused_alone(answers: GivenAnswers | None, words: str) -> None:
    """Assert that only this route is refused, with these words."""
    async with replica(answers) as client:
        response = await client.get(f"/predictions/{uuid4()}")
        assert (response.status_code, response.json()["error"]) == (503, "store_unavailable")
        assert int(response.headers["retry-after"]) > 0
        assert words in response.json()["detail"]
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.post("/predict", files={"file": picture()})).status_code == 200


async def test_a_replica_without_postgresql_refuses_this_route_alone() -> None:
    await refused_alone(None, "PAPPUS_DATABASE_URL")


@pytest.mark.parametrize(
    ("url", "ca_file", "words"),
    [
        (CLOSED, "/no/such/file.pem", "PAPPUS_DATABASE_URL"),
        ("http://no-database/", None, "does not answer this replica"),
    ],
)
async def test_settings_that_cannot_be_used_refuse_this_route_alone(url: str, ca_file: str | None, words: str) -> None:
    settings = PredictorSettings.model_validate({"database_url": url, "database_ca_file": ca_file})
    async with GivenAnswers.open(settings) as answers:
        await refused_alone(answers, words)


async def test_postgresql_that_is_away_refuses_this_route_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPPUS_DATABASE_URL", CLOSED)
    async with GivenAnswers.open(PredictorSettings()) as answers:
        await refused_alone(answers, "does not answer this replica")


async def test_nothing_is_said_of_settings_to_who_asks() -> None:
    async with Lookups.open(CLOSED, "predictor") as tables:
        with pytest.raises(TablesAway, match=r"127\.0\.0\.1"):
            await tables.fetchrow("SELECT 1")
    async with GivenAnswers.open(PredictorSettings(database_url=CLOSED)) as answers, replica(answers) as client:
        assert "127.0.0.1" not in (await client.get(f"/predictions/{uuid4()}")).text


async def test_a_server_that_says_nothing_is_waited_for_in_vain_for_a_while_only() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    async with (
        server,
        Lookups.open(f"postgresql://r@127.0.0.1:{port}/pappus", "predictor", longest_seconds=0.1) as mute,
    ):
        with pytest.raises(TablesAway, match=r"said nothing for 0\.1 s"):
            await mute.fetchrow("SELECT 1")
