"""A training whose backbone learns from labels, too."""

from pathlib import Path

import pytest

from services.trainer.dataset.manifest import Manifest
from services.trainer.full_lane.jobs import FitJob, Fitted, LearnJob
from services.trainer.full_lane.training_steps import fit, learn
from services.trainer.model.onnx_artefact import Artefact
from tests.unit.trainer.full_lane.test_training_steps import LABELS, SMALL, samples

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

FEW = {**SMALL, "steps": 4, "batch": 8, "width": 8}


def job_for(folder: Path, manifest: Manifest) -> LearnJob:
    return LearnJob(manifest, folder, "patches+cnn", FEW)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def relabelled(folder: Path) -> tuple[Manifest, Fitted]:
    manifest = samples(folder, wrong=(2,), corrected=(2,))
    job = job_for(folder, manifest)
    learn(job)
    return manifest, fit(FitJob(job, manifest, LABELS))


def test_a_model_of_two_parts_is_trained_and_calibrated(relabelled: tuple[Manifest, Fitted]) -> None:
    _, fitted = relabelled
    artefact = Artefact.parse(fitted.artefact)
    assert artefact.head.parts == 2
    assert fitted.metrics["parity_difference"] <= 1e-4
    assert fitted.metrics["temperature"] > 0
    assert fitted.metrics["parity_disagreements"] == 0


def test_a_label_changed_meanwhile_gives_the_model_of_the_last_labels(
    folder: Path, relabelled: tuple[Manifest, Fitted]
) -> None:
    manifest, fitted = relabelled
    before = job_for(folder, samples(folder))
    learn(before)
    again = fit(FitJob(before, manifest, LABELS))
    assert again.backbone_id == fitted.backbone_id
    assert again.artefact == fitted.artefact
