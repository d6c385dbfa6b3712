"""What every model registry promises; run against the one in memory and against MLflow."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from mlflow import MlflowClient

from pappus.stack import Servers
from pappus.stack.credentials import READER
from services.predictor.decisions.answers import answer_of
from services.predictor.model.onnx_model import Model
from services.trainer.recorder.memory_registry import MemoryRegistry
from services.trainer.recorder.model_registry import ModelRegistry, open_model_registry
from shared.contract.events import RuleOutcome
from shared.imaging.preprocessing import prepare_image
from shared.runtime.errors import NotReady, TransientError
from shared.testing import model_promoted, model_rejected, model_trained
from tests.loaded_model import ask_model_of_mlflow
from tests.unit.predictor.small_model import picture, small_artefact

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
    for trained in (first, second, first, first):
        await registry.set_champion(trained, None)
        assert await registry.champion(name) == trained.version


async def test_a_verdict_of_a_version_that_is_not_recorded_has_to_wait(registry: ModelRegistry, name: str) -> None:
    with pytest.raises(NotReady, match="training comes first"):
        await registry.record_verdict(model_rejected(model_name=name, version="unknown"))
    with pytest.raises(NotReady):
        await registry.set_champion(model_trained(model_name=name), None)


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
        assert files == {"classes.json", "confusion.json", "confusion.png"}

    async def test_shows_epochs_classes_environment_and_data_set(
        self, client: MlflowClient, mlflow_url: str, name: str, tmp_path: Path
    ) -> None:
        trained = model_trained(
            model_name=name, curves={"backbone_loss": (0.7, 0.3)}, made_with={"torch": "2.9.0"}, labels=("a", "b")
        )
        async with open_model_registry(mlflow_url, "pappus") as registry:
            run_id = await registry.record_training(trained)
        run = await asyncio.to_thread(client.get_run, run_id)
        history = await asyncio.to_thread(client.get_metric_history, run_id, "backbone_loss")
        assert [(point.step, point.value) for point in history] == [(0, 0.7), (1, 0.3)]
        assert run.data.params["environment.torch"] == "2.9.0"
        assert run.inputs is not None
        images = run.inputs.dataset_inputs[0].dataset
        assert trained.manifest_sha256.startswith(images.digest)
        assert json.loads(images.source)["sha256"] == trained.manifest_sha256
        file = await asyncio.to_thread(client.download_artifacts, run_id, "classes.json", str(tmp_path))
        classes = json.loads(await asyncio.to_thread(Path(file).read_text))
        assert classes["columns"][:3] == ["label", "images", "recall"]
        assert [row[:3] for row in classes["data"]] == [["a", 10, 0.9], ["b", 10, 1.0]]

    async def test_a_version_that_a_person_deleted_is_recorded_again(
        self, client: MlflowClient, mlflow_url: str, name: str
    ) -> None:
        trained = model_trained(model_name=name)
        async with open_model_registry(mlflow_url, "pappus") as registry:
            await registry.record_training(trained)
            await asyncio.to_thread(client.delete_model_version, name, "1")
            with pytest.raises(NotReady):
                await registry.set_champion(trained, None)
            await registry.record_training(trained)
            await registry.set_champion(trained, None)
            assert await registry.champion(name) == trained.version

    async def test_has_a_version_whose_files_are_stored_and_that_carries_the_verdict(
        self, client: MlflowClient, mlflow_url: str, name: str
    ) -> None:
        trained = model_trained(model_name=name)
        verdict = (RuleOutcome(rule="floor_accuracy", outcome="passed", sentence="0.95 is above 0.8."),)
        promoted = model_promoted(model_name=name, version=trained.version, sequence=3, verdict=verdict)
        async with open_model_registry(mlflow_url, "pappus") as registry:
            await registry.record_training(trained)
            for _ in range(2):
                await registry.record_verdict(promoted)
                await registry.set_champion(trained, b"a graph")
        version = await asyncio.to_thread(client.get_model_version_by_alias, name, "champion")
        files = await asyncio.to_thread(client.list_artifacts, str(version.run_id), "model")
        assert {"model/MLmodel", "model/requirements.txt"} <= {file.path for file in files}
        assert version.source is not None
        assert version.source.endswith(f"/{version.run_id}/artifacts/model")
        assert version.tags["pappus.artefact_sha256"] == trained.artefact_sha256
        assert version.tags["pappus.verdict"] == "promoted"
        assert version.tags["pappus.sequence"] == "3"
        assert version.description == f"{promoted.summary}\n\n- **floor_accuracy** passed: 0.95 is above 0.8."

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

    async def test_a_program_that_loads_the_champion_answers_as_the_predictor(
        self, servers_with_mlflow: Servers, mlflow_url: str, name: str, tmp_path: Path
    ) -> None:
        trained, artefact, images = model_trained(model_name=name), small_artefact(), [picture(0), picture(200)]
        async with open_model_registry(mlflow_url, "pappus") as registry:
            await registry.record_training(trained)
            await registry.set_champion(trained, artefact)
        login = (READER, servers_with_mlflow.credentials.mlflow[READER])
        uri = f"models:/{name}@champion"
        answers, metadata = await ask_model_of_mlflow(mlflow_url, login, uri, images, tmp_path)
        model = Model(artefact)
        served = [answer_of(model.answer(prepare_image(image).pixels), model.metadata) for image in images]
        assert answers == [{"label": one.label, "probabilities": one.probabilities} for one in served]
        assert metadata["version"] == trained.version

    async def test_a_champion_whose_files_were_half_stored_is_stored_again(
        self, client: MlflowClient, mlflow_url: str, name: str, tmp_path: Path
    ) -> None:
        trained = model_trained(model_name=name)
        await asyncio.to_thread((tmp_path / "model.onnx").write_bytes, b"half")
        async with open_model_registry(mlflow_url, "pappus") as registry:
            run_id = await registry.record_training(trained)
            await asyncio.to_thread(client.log_artifact, run_id, str(tmp_path / "model.onnx"), "model/data")
            await registry.set_champion(trained, b"the whole graph")
        where = (run_id, "model/data/model.onnx", str(tmp_path))
        stored = await asyncio.to_thread(client.download_artifacts, *where)
        assert await asyncio.to_thread(Path(stored).read_bytes) == b"the whole graph"

    async def test_a_version_of_an_earlier_release_is_replaced_by_one_that_loads(
        self, client: MlflowClient, mlflow_url: str, name: str
    ) -> None:
        trained = model_trained(model_name=name)
        async with open_model_registry(mlflow_url, "pappus") as registry:
            run_id = await registry.record_training(trained)
            await asyncio.to_thread(client.delete_model_version, name, "1")
            tags = {"pappus.version": trained.version, "pappus.verdict": "promoted"}
            source = f"s3://pappus/{trained.artefact_key}"
            await asyncio.to_thread(lambda: client.create_model_version(name, source, run_id, tags=tags))
            await asyncio.to_thread(client.set_registered_model_alias, name, "champion", "2")
            assert await registry.champion(name) is None
        async with open_model_registry(mlflow_url, "pappus") as registry:  # the later release
            await registry.record_training(trained)
            await registry.set_champion(trained, b"a graph")
            assert await registry.champion(name) == trained.version
        versions = await asyncio.to_thread(client.search_model_versions, f"name = '{name}'")
        assert [version.tags["pappus.verdict"] for version in versions] == ["promoted"]

    async def test_that_is_away_is_a_transient_error(self, unused_port: int, name: str) -> None:
        async with open_model_registry(f"http://127.0.0.1:{unused_port}", "pappus") as registry:
            with pytest.raises(TransientError, match="MLflow"):
                await registry.record_training(model_trained(model_name=name))
            with pytest.raises(TransientError, match="MLflow"):
                await registry.champion(name)
