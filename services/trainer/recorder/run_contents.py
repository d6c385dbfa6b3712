"""What a run in MLflow says about a training, and a version about its verdict, as plain values. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.contract.events import ModelPromoted, ModelRejected, ModelTrained

DIGEST_CHARACTERS = 36
"""MLflow keeps no longer digest of a data set; the whole one is in its source."""
DESCRIPTION_CHARACTERS = 4_900
"""MLflow keeps 5,000."""
CLASS_COLUMNS = ("label", "images", "recall", "precision", "f1")


@dataclass(frozen=True)
class DatasetRecord:
    """The data set of a training in MLflow's terms: `source` and `profile` are JSON."""

    name: str
    digest: str
    source: str
    profile: str


def figures(trained: ModelTrained) -> dict[str, float]:
    """Return every single figure by name."""
    return {
        **trained.metrics,
        **{f"seconds_{stage}": seconds for stage, seconds in trained.seconds.items()},
        "training_images": trained.training_images,
        "test_images": trained.test_images,
        "corrections": trained.held_count,
    }


def curves(trained: ModelTrained) -> dict[str, tuple[float, ...]]:
    """Return the objective of the head after each iteration ("loss"), and the figures of each epoch of the backbone."""
    return {**trained.curves, "loss": trained.curve}


def parameters(trained: ModelTrained) -> dict[str, str]:
    """Return what shaped the model, and with what it was made ("environment.torch")."""
    shaped = {**trained.parameters, "backbone_id": trained.backbone_id, "manifest": trained.manifest_sha256}
    return {name: str(value) for name, value in shaped.items()} | {
        f"environment.{name}": value for name, value in trained.made_with.items()
    }


def class_rows(labels: Sequence[str], confusion: Sequence[Sequence[int]]) -> list[list[str | int | float | None]]:
    """Return a row of `CLASS_COLUMNS` for each label: how many images it has, and recall, precision and their harmonic
    mean, 0..1; None where there is nothing to divide by. Rows of `confusion` are true labels, columns are answers."""
    rows: list[list[str | int | float | None]] = []
    for index, label in enumerate(labels):
        right, images = confusion[index][index], sum(confusion[index])
        answered = sum(row[index] for row in confusion)
        recall, precision = _share(right, images), _share(right, answered)
        rows.append([label, images, recall, precision, _share(2 * right, images + answered)])
    return rows


def dataset(trained: ModelTrained, bucket: str) -> DatasetRecord:
    """Return the manifest, which lists images and labels, as a data set that MLflow can show and compare."""
    source: Mapping[str, str] = {"uri": f"s3://{bucket}/{trained.manifest_key}", "sha256": trained.manifest_sha256}
    profile = {
        "training_images": trained.training_images,
        "test_images": trained.test_images,
        "corrections": trained.held_count,
        "labels": list(trained.labels),
    }
    digest = trained.manifest_sha256[:DIGEST_CHARACTERS]
    return DatasetRecord(f"{trained.model_name}-images", digest, json.dumps(source), json.dumps(profile))


def verdict_tags(verdict: ModelPromoted | ModelRejected) -> dict[str, str]:
    """Return what a search in MLflow may ask of a version: the verdict, and place and route of a promotion."""
    if isinstance(verdict, ModelRejected):
        return {"pappus.verdict": "rejected"}
    return {"pappus.verdict": "promoted", "pappus.sequence": str(verdict.sequence), "pappus.route": verdict.route}


def verdict_description(verdict: ModelPromoted | ModelRejected) -> str:
    """Return the verdict as Markdown for the page of a version: the summary, and each rule with its sentence. One text
    is one request; a tag for each rule would be two each. At most `DESCRIPTION_CHARACTERS`."""
    rules = [f"- **{rule.rule}** {rule.outcome}: {rule.sentence}" for rule in verdict.verdict]
    return "\n".join([verdict.summary, "", *rules])[:DESCRIPTION_CHARACTERS]


def metric_name(text: str) -> str:
    """Return `text` with the characters that MLflow allows in no name (an apostrophe in a label) as code points."""
    return re.sub(r"[^/\w.\- :]", lambda found: f"_{ord(found[0]):x}_", text)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
