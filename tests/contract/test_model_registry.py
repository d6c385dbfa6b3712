"""What every model registry promises; run against the one in memory and against MLflow."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from mlflow import MlflowClient

from services.trainer.recorder.memory_registry import MemoryRegistry
from services.trainer.recorder.model_registry import ModelRegistry, open_model_registry
from shared.contract.events import RuleOutcome
from shared.runtime.errors import NotReady, TransientError
from shared.testing import model_promoted, model_rejected, model_trained

pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow")]


@pytest.fixture(params=["memory", "mlflow"])
async def registry(request: pytest.FixtureRequest) -> AsyncIterator[ModelRegistry]:
    if request.param == "memory":
        yield MemoryRegistry()
        return
    url: str = await asyncio.to_thread(request.getfixturevalue, "mlflow_url")
    async with open_model_registry(url, "pappus") as opened:
        yield opened


@pytest.fixture
def name() -> str:
    return f"plants-{uuid4().hex[:8]}"


async def test_a_training_recorded_twice_is_one_run(registry: ModelRegistry, name: str) -> None:
    trained = model_trained(model_name=name)
    assert await registry.record_training(trained) == await registry.record_training(trained)


async def test_the_champion_is_the_version_that_was_set_last(registry: ModelRegistry, name: str) -> None:
    first, second = model_trained(model_name=name), model_trained(model_name=name)
    assert await registry.champion(name) is None
    await registry.record_training(first)
    await registry.record_training(second)
    for version in (first.version, second.version, first.version, first.version):
        await registry.set_champion(name, version)
        assert await registry.champion(name) == version


async def test_a_verdict_of_a_version_that_is_not_recorded_has_to_wait(registry: ModelRegistry, name: str) -> None:
    with pytest.raises(NotReady, match="training comes first"):
        await registry.record_verdict(model_rejected(model_name=name, version="unknown"))
    with pytest.raises(NotReady):
        await registry.set_champion(name, "unknown")


async def test_a_rejection_that_names_no_version_records_nothing(registry: ModelRegistry, name: str) -> None:
    await registry.record_verdict(model_rejected(model_name=name, version=None, event_id=uuid4()))


class TestMlflow:
    @pytest.fixture
    def client(self, mlflow_url: str) -> MlflowClient:
        return MlflowClient(tracking_uri=mlflow_url, registry_uri=mlflow_url)

    async def test_shows_parameters_metrics_curve_and_confusion_matrix(
        self, client: MlflowClient, mlflow_url: str, name: str
    ) -> None:
        trained = model_trained(model_name=name, curve=(0.9, 0.5, 0.25), metrics={"accuracy": 0.95})
        async with open_model_registry(mlflow_url, "pappus") as registry:
            run_id = await registry.record_training(trained)
        run = await asyncio.to_thread(client.get_run, run_id)
        assert run.info.status == "FINISHED"
        assert run.data.metrics["accuracy"] == 0.95
        assert run.data.params["backbone"] == "patches"
        assert run.data.tags["pappus.version"] == trained.version
        history = await asyncio.to_thread(client.get_metric_history, run_id, "loss")
        assert [(point.step, point.value) for point in history] == [(0, 0.9), (1, 0.5), (2, 0.25)]
        files = {entry.path for entry in await asyncio.to_thread(client.list_artifacts, run_id)}
        assert files == {"confusion.json", "confusion.png"}

    async def test_has_a_version_that_points_to_the_artefact_and_carries_the_verdict(
        self, client: MlflowClient, mlflow_url: str, name: str
    ) -> None:
        trained = model_trained(model_name=name)
        verdict = (RuleOutcome(rule="floor_accuracy", outcome="passed", sentence="0.95 is above 0.8."),)
        promoted = model_promoted(model_name=name, version=trained.version, sequence=3, verdict=verdict)
        async with open_model_registry(mlflow_url, "pappus") as registry:
            await registry.record_training(trained)
            for _ in range(2):
                await registry.record_verdict(promoted)
                await registry.set_champion(name, trained.version)
        version = await asyncio.to_thread(client.get_model_version_by_alias, name, "champion")
        assert version.source == f"s3://pappus/{trained.artefact_key}"
        assert version.tags["pappus.artefact_sha256"] == trained.artefact_sha256
        assert version.tags["pappus.verdict"] == "promoted"
        assert version.tags["pappus.sequence"] == "3"
        assert version.tags["pappus.rule.floor_accuracy"] == "passed: 0.95 is above 0.8."

    async def test_a_refused_login_is_said_with_its_settings_and_tried_again(
        self, mlflow_url: str, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for variable in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
            monkeypatch.setenv(variable, "restored afterwards")
        async with open_model_registry(mlflow_url, "pappus", "recorder", "a wrong password") as registry:
            with pytest.raises(TransientError, match="PAPPUS_MLFLOW_PASSWORD"):
                await registry.record_training(model_trained(model_name=name))

    async def test_takes_labels_that_its_names_cannot_hold(
        self, client: MlflowClient, mlflow_url: str, name: str
    ) -> None:
        trained = model_trained(model_name=name, metrics={"recall_St John's wort": 0.5})
        verdict = (RuleOutcome(rule="recall_St John's wort", outcome="passed", sentence="Half of them."),)
        async with open_model_registry(mlflow_url, "pappus") as registry:
            run_id = await registry.record_training(trained)
            await registry.record_verdict(model_rejected(model_name=name, version=trained.version, verdict=verdict))
        run = await asyncio.to_thread(client.get_run, run_id)
        assert run.data.metrics["recall_St John_27_s wort"] == 0.5

    async def test_takes_up_a_recording_that_was_interrupted(
        self, client: MlflowClient, mlflow_url: str, name: str
    ) -> None:
        trained = model_trained(model_name=name)
        experiment = await asyncio.to_thread(client.create_experiment, name)
        tags = {"pappus.version": trained.version}
        half = await asyncio.to_thread(lambda: client.create_run(experiment, tags=tags))
        async with open_model_registry(mlflow_url, "pappus") as registry:
            assert await registry.record_training(trained) == half.info.run_id
        run = await asyncio.to_thread(client.get_run, half.info.run_id)
        assert run.data.metrics["accuracy"] == 0.95

    async def test_that_is_away_is_a_transient_error(self, unused_port: int, name: str) -> None:
        async with open_model_registry(f"http://127.0.0.1:{unused_port}", "pappus") as registry:
            with pytest.raises(TransientError, match="MLflow"):
                await registry.record_training(model_trained(model_name=name))
            with pytest.raises(TransientError, match="MLflow"):
                await registry.champion(name)
