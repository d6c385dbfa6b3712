"""What a person finds in MLflow after the story."""

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient, MlflowException
from mlflow.entities.model_registry import ModelVersion

from shared.clients.answers import ModelView
from shared.clients.labeler import get_champion, list_models
from shared.imaging.drawing import draw_dandelion
from shared.testing import eventually
from tests.loaded_model import ask_model_of_mlflow

from .demo_run import LIVE_SECONDS, Told

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow")
MODEL = "plants"


@pytest.fixture
def mlflow(told: Told, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """MLflow through its own client, as the reader."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "reader")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", told.running.mlflow_password)
    return MlflowClient(tracking_uri=told.running.mlflow, registry_uri=told.running.mlflow)


def registered(mlflow: MlflowClient, version: str) -> tuple[ModelVersion, str]:
    """Return the one registered version that is our `version`, and its run."""
    found = mlflow.search_model_versions(f"name = '{MODEL}' and tags.`pappus.version` = '{version}'")
    assert len(found) == 1, version
    assert found[0].run_id is not None
    return found[0], found[0].run_id


@pytest.fixture
async def full(told: Told) -> ModelView:
    """The first model."""
    async with told.person() as person:
        return next(model for model in await person.send(list_models()) if model.lane == "full")


async def test_the_alias_champion_follows_the_model_in_service(told: Told, mlflow: MlflowClient) -> None:
    async with told.person() as person:
        champion = await person.send(get_champion())
    assert champion is not None
    serving = champion.version

    def followed() -> bool:
        try:
            return mlflow.get_model_version_by_alias(MODEL, "champion").tags["pappus.version"] == serving
        except MlflowException:  # not yet, or too busy
            return False

    await eventually(followed, LIVE_SECONDS)


async def test_a_program_that_loads_the_champion_gets_the_answers_of_the_service(told: Told, tmp_path: Path) -> None:
    data = draw_dandelion()
    login = ("reader", told.running.mlflow_password)

    async def agree() -> bool:
        served = await told.answer(data)
        try:
            (found,), metadata = await ask_model_of_mlflow(
                told.running.mlflow, login, f"models:/{MODEL}@champion", [data], tmp_path
            )
        except AssertionError:  # no alias yet
            return False
        if metadata["version"] != served.model_version:  # the alias follows
            return False
        assert (found["label"], found["probabilities"]) == (served.label, served.probabilities)
        return True

    await eventually(agree, LIVE_SECONDS)


async def test_every_model_has_a_run_and_a_version_with_its_verdict(told: Told, mlflow: MlflowClient) -> None:
    async with told.person() as person:
        models = await person.send(list_models())

    def recorded() -> bool:
        found = {v.tags["pappus.version"]: v for v in mlflow.search_model_versions(f"name = '{MODEL}'")}
        return found.keys() == {model.version for model in models} and all(
            "pappus.verdict" in version.tags for version in found.values()
        )

    await eventually(recorded, LIVE_SECONDS)
    for model in models:
        version, run_id = registered(mlflow, model.version)
        assert version.tags["pappus.verdict"] == ("rejected" if model.state == "rejected" else "promoted")
        assert mlflow.get_run(run_id).info.status == "FINISHED"


def test_a_training_shows_parameters_metrics_curve_and_confusion(full: ModelView, mlflow: MlflowClient) -> None:
    _, run_id = registered(mlflow, full.version)
    run = mlflow.get_run(run_id)
    assert run.data.params["backbone"] == "patches"
    assert run.data.metrics["test_accuracy"] == pytest.approx(full.metrics["test_accuracy"])
    losses = [point.value for point in sorted(mlflow.get_metric_history(run_id, "loss"), key=lambda point: point.step)]
    assert len(losses) > 1
    assert losses[-1] < losses[0]
    assert run.data.params["environment.torch"]
    assert run.inputs is not None
    assert run.inputs.dataset_inputs[0].dataset.name == f"{MODEL}-images"
    assert {"classes.json", "confusion.json", "confusion.png"} <= {file.path for file in mlflow.list_artifacts(run_id)}


def test_the_confusion_matrix_counts_the_test_images(full: ModelView, mlflow: MlflowClient, tmp_path: Path) -> None:
    _, run_id = registered(mlflow, full.version)
    matrix = json.loads(Path(mlflow.download_artifacts(run_id, "confusion.json", str(tmp_path))).read_text())
    assert sum(map(sum, matrix["rows"])) == full.test_images
