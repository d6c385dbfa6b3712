"""The model registry: which models were trained, judged and promoted, for display in MLflow. A protocol, and MLflow
behind it; the only importer of mlflow.

The log stays the truth: the registry is a copy that can be made again, so every method may be called any number of
times.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from cachetools import LRUCache

from services.trainer.recorder.confusion import confusion_png
from services.trainer.recorder.model_folder import write_model_folder
from services.trainer.recorder.run_contents import (
    CLASS_COLUMNS,
    class_rows,
    curves,
    dataset,
    figures,
    metric_name,
    parameters,
    verdict_description,
    verdict_tags,
)
from shared.contract.events import ModelPromoted, ModelRejected, ModelTrained
from shared.runtime.errors import NotReady, TransientError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

T = TypeVar("T")
CHAMPION = "champion"
VERSION_TAG = "pappus.version"
RECORDED_TAG = "pappus.recorded"
LOADABLE_TAG = "pappus.loadable"
MODEL_FOLDER = "model"
CLASSES_FILE = "classes.json"
KNOWN_VERSIONS = 1_000
METRICS_AT_ONCE, PARAMS_AT_ONCE = 800, 100
"""MLflow takes at most 1,000 entries in one request, 100 of them parameters."""
_REFUSED = {"UNAUTHENTICATED", "PERMISSION_DENIED"}
_TRANSIENT = {"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "DEADLINE_EXCEEDED", "ABORTED"}


class ModelRegistry(Protocol):
    """What the recorder writes. Every method is idempotent and raises TransientError when the registry is away."""

    async def record_training(self, trained: ModelTrained) -> str:
        """Record a run with parameters, environment, data set, metrics, curves, confusion matrix and figures of each
        class, and a version of the registered model `trained.model_name`. Return the id of the run."""

    async def record_verdict(self, verdict: ModelPromoted | ModelRejected) -> None:
        """Record the verdict as tags and description of its version. A rejection that names no version records nothing.
        Raises NotReady if the version is not recorded yet."""

    async def set_champion(self, trained: ModelTrained, artefact: bytes | None) -> None:
        """Store the files with which `mlflow.pyfunc.load_model` loads this version, then move the alias `champion` to
        it. `artefact` is its graph; None if it is lost: then the alias moves to a version that cannot be loaded. Raises
        NotReady if the version is not recorded yet."""

    async def champion(self, model_name: str) -> str | None:
        """Return our version that has the alias; None if none has, or one of an earlier release, which no program can
        load."""


class MlflowRegistry:
    """MLflow through its client. The client blocks, so every call runs in a thread."""

    def __init__(self, client: "MlflowClient", bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._recorded: LRUCache[str, str] = LRUCache(KNOWN_VERSIONS)  # run by version, of those that are complete

    async def record_training(self, trained: ModelTrained) -> str:
        """See ModelRegistry."""
        return await _in_thread(lambda: self._record_training(trained))

    async def record_verdict(self, verdict: ModelPromoted | ModelRejected) -> None:
        """See ModelRegistry."""
        version = verdict.version
        if version is not None:
            await _in_thread(lambda: self._judge(version, verdict))

    async def set_champion(self, trained: ModelTrained, artefact: bytes | None) -> None:
        """See ModelRegistry."""

        def move() -> None:
            found = self._version(trained.model_name, trained.version)
            if artefact is not None and found.tags.get(LOADABLE_TAG) != "yes":
                self._store_model(found, trained, artefact)
            self._client.set_registered_model_alias(trained.model_name, CHAMPION, str(found.version))

        await _in_thread(move)

    async def champion(self, model_name: str) -> str | None:
        """See ModelRegistry."""

        def ask() -> str | None:
            try:
                found = self._client.get_model_version_by_alias(model_name, CHAMPION)
                return found.tags.get(VERSION_TAG) if (found.source or "").endswith(f"/{MODEL_FOLDER}") else None
            except Exception as error:
                if getattr(error, "error_code", "") in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                    return None
                raise

        return await _in_thread(ask)

    def _record_training(self, trained: ModelTrained) -> str:
        if trained.version in self._recorded:
            return self._recorded[trained.version]
        run = self._run(trained)
        run_id = str(run.info.run_id)
        if run.data.tags.get(RECORDED_TAG) != "yes":
            self._fill_run(run_id, trained)
        self._register(run_id, f"{run.info.artifact_uri}/{MODEL_FOLDER}", trained)
        self._recorded[trained.version] = run_id
        return run_id

    def _run(self, trained: ModelTrained) -> "Run":
        """Return the run of this version, found by its tag or made."""
        experiment = self._client.get_experiment_by_name(trained.model_name)
        experiment_id = experiment.experiment_id if experiment else self._client.create_experiment(trained.model_name)
        found = self._client.search_runs([experiment_id], f"tags.`{VERSION_TAG}` = '{trained.version}'", max_results=1)
        if found:
            return found[0]
        tags = {VERSION_TAG: trained.version, "pappus.lane": trained.lane, "pappus.parent": trained.parent or ""}
        start = _milliseconds(trained) - int(1000 * sum(trained.seconds.values()))
        return self._client.create_run(experiment_id, start_time=start, tags=tags, run_name=trained.version)

    def _fill_run(self, run_id: str, trained: ModelTrained) -> None:
        """Write what the run says. Its tag, which says that nothing is missing, comes last."""
        from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

        when = _milliseconds(trained)
        metrics = [Metric(metric_name(name), float(value), when, 0) for name, value in figures(trained).items()]
        metrics += [
            Metric(metric_name(name), float(value), when, step)
            for name, curve in curves(trained).items()
            for step, value in enumerate(curve)
        ]
        params = [Param(metric_name(name), value) for name, value in parameters(trained).items()]
        tags = [RunTag(key, value) for key, value in self._add_confusion(run_id, trained).items()]
        images = dataset(trained, self._bucket)
        entity = Dataset(images.name, images.digest, "s3", images.source, profile=images.profile)
        self._client.log_inputs(run_id, [DatasetInput(entity, [InputTag("mlflow.data.context", "training")])])
        while len(metrics) > METRICS_AT_ONCE or len(params) > PARAMS_AT_ONCE:
            self._client.log_batch(run_id, metrics[:METRICS_AT_ONCE], params[:PARAMS_AT_ONCE])
            metrics, params = metrics[METRICS_AT_ONCE:], params[PARAMS_AT_ONCE:]
        self._client.set_terminated(run_id, "FINISHED", end_time=when)
        self._client.log_batch(run_id, metrics, params, [*tags, RunTag(RECORDED_TAG, "yes")])

    def _add_confusion(self, run_id: str, trained: ModelTrained) -> Mapping[str, str]:
        """Add the confusion matrix as JSON and as a picture, and what follows from it for each class as a table; a
        training without one adds nothing. Return the tags with which MLflow finds the table."""
        if not trained.confusion:
            return {}
        rows = [list(row) for row in trained.confusion]
        self._client.log_dict(run_id, {"labels": list(trained.labels), "rows": rows}, "confusion.json")
        classes = {"columns": list(CLASS_COLUMNS), "data": class_rows(trained.labels, trained.confusion)}
        self._client.log_dict(run_id, classes, CLASSES_FILE)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "confusion.png"
            path.write_bytes(confusion_png(trained.labels, trained.confusion))
            self._client.log_artifact(run_id, str(path))
        return {"mlflow.loggedArtifacts": json.dumps([{"path": CLASSES_FILE, "type": "table"}])}

    def _register(self, run_id: str, source: str, trained: ModelTrained) -> None:
        """Register a version of the model that lies at `source`, unless this run has one. A version that an earlier
        release registered for the run lies elsewhere and cannot be loaded: the new one takes over its tags."""
        name = trained.model_name
        with _already_there():
            self._client.create_registered_model(name)
        found = self._client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
        outdated = [version for version in found if version.source != source]
        if len(found) == len(outdated):
            tags = {
                **{key: value for version in outdated for key, value in version.tags.items()},
                VERSION_TAG: trained.version,
                "pappus.artefact_key": trained.artefact_key,
                "pappus.artefact_sha256": trained.artefact_sha256,
                "pappus.manifest_key": trained.manifest_key,
            }
            self._client.create_model_version(name, source=source, run_id=run_id, tags=tags, await_creation_for=0)
        for version in outdated:
            self._client.delete_model_version(name, str(version.version))

    def _store_model(self, version: "ModelVersion", trained: ModelTrained, artefact: bytes) -> None:
        """Store the files of a model in its run, and say that they are all there."""
        from mlflow.version import VERSION

        run_id = str(version.run_id)
        with tempfile.TemporaryDirectory() as folder:
            write_model_folder(Path(folder), trained, artefact, run_id, VERSION)
            self._client.log_artifacts(run_id, folder, MODEL_FOLDER)
        self._client.set_model_version_tag(trained.model_name, str(version.version), LOADABLE_TAG, "yes")

    def _judge(self, version: str, verdict: ModelPromoted | ModelRejected) -> None:
        name, found = verdict.model_name, self._version(verdict.model_name, version)
        for key, value in verdict_tags(verdict).items():
            if found.tags.get(key) != value:
                self._client.set_model_version_tag(name, str(found.version), key, value)
        self._client.update_model_version(name, str(found.version), verdict_description(verdict))

    def _version(self, model_name: str, version: str) -> "ModelVersion":
        found = self._client.search_model_versions(f"name = '{model_name}' and tags.`{VERSION_TAG}` = '{version}'")
        if not found:
            self._recorded.pop(version, None)  # it was deleted in MLflow: it is recorded again
            raise NotReady(f"Version {version} of {model_name} is not in the registry yet; its training comes first.")
        return found[0]


def _milliseconds(trained: ModelTrained) -> int:
    return int(trained.occurred_at.timestamp() * 1000)


@contextmanager
def _already_there() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if getattr(error, "error_code", "") != "RESOURCE_ALREADY_EXISTS":
            raise


async def _in_thread(call: Callable[[], T]) -> T:
    """Return the result of a blocking call; MLflow's absence is a TransientError."""
    from mlflow.exceptions import MlflowException
    from requests import RequestException

    try:
        return await asyncio.to_thread(call)
    except MlflowException as error:
        if error.error_code in _REFUSED:  # it may be the server's password that is wrong, and put right there
            raise TransientError(
                f"MLflow refused the login of the recorder ({error.message}). Correct PAPPUS_MLFLOW_USERNAME and"
                " PAPPUS_MLFLOW_PASSWORD."
            ) from error
        if error.error_code in _TRANSIENT:
            raise TransientError(f"MLflow did not answer as it should: {error}. Is it running?") from error
        raise
    except (RequestException, OSError) as error:
        raise TransientError(f"MLflow cannot be reached: {error!r}. Is it running?") from error


@asynccontextmanager
async def open_model_registry(
    tracking_uri: str, bucket: str, username: str = "", password: str = ""
) -> AsyncIterator[ModelRegistry]:
    """Open MLflow at `tracking_uri`, with this login if there is one; `bucket` holds the artefacts. Opening sends no
    request, so MLflow may be away.

    MLflow reads its client settings from the environment of the process only: they are set here, and override others.
    """
    os.environ.update(
        MLFLOW_DISABLE_TELEMETRY="true",
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="1",
        MLFLOW_HTTP_REQUEST_TIMEOUT="20",
        MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false",
    )

    if username:
        os.environ.update(MLFLOW_TRACKING_USERNAME=username, MLFLOW_TRACKING_PASSWORD=password)

    def make() -> "MlflowClient":
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)

    yield MlflowRegistry(await asyncio.to_thread(make), bucket)
