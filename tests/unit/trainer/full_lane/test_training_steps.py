"""What the training process makes of a few dozen pictures."""

import hashlib
import multiprocessing
import os
import shutil
import signal
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from services.trainer.dataset.manifest import Manifest, Sample, manifest_of
from services.trainer.features.parquet import read_features
from services.trainer.full_lane import decoding, training_steps
from services.trainer.full_lane.decisions import evaluation
from services.trainer.full_lane.decoding import read_pixels
from services.trainer.full_lane.image_folder import path_in
from services.trainer.full_lane.jobs import FitJob, Fitted, LearnJob, NotEnoughImages
from services.trainer.full_lane.training_process import MODULE, TrainingProcess
from services.trainer.full_lane.training_steps import fit, learn, parameters
from services.trainer.model import layer_space, reference_inference
from services.trainer.model.onnx_artefact import Artefact
from services.trainer.model.sessions import ArtefactSession, mirror
from shared.contract.events import uuid_of
from shared.drift.sketch import project_features
from shared.runtime.errors import TransientError
from shared.runtime.worker_process import WorkerProcess
from shared.testing import eventually

# The first export of a process takes seconds, on a busy machine many.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

LABELS = ("dandelion", "grass")
SMALL = {"pairs": 8, "dimensions": 12, "sampled_patches": 2000, "iterations": 3}


@cache
def picture(label: str, number: int) -> bytes:
    """Return a JPEG of 48 x 48: yellow discs for dandelions, vertical green stripes for grass."""
    generator = np.random.default_rng(number)
    pixels = generator.integers(0, 60, (48, 48, 3), dtype=np.uint8)
    rows, columns = np.mgrid[:48, :48]
    if label == "dandelion":
        x, y = generator.integers(12, 36, 2)
        pixels[(rows - x) ** 2 + (columns - y) ** 2 < 100] = (230, 210, 20)
    else:
        pixels[:, (np.arange(48) + number) % 6 < 3] = (30, 160, 40)
    out = BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=90)
    return out.getvalue()


def samples(folder: Path, count: int = 40, wrong: tuple[int, ...] = (), corrected: tuple[int, ...] = ()) -> Manifest:
    """Return samples, half of each label, every fifth pair on the test side, with bytes in the folder; `wrong` ones
    carry the other label, `corrected` ones have revision 1."""
    made = []
    for number in range(count):
        shown = LABELS[number % 2]
        data = picture(shown, number)
        digest = hashlib.sha256(data).hexdigest()
        path_in(folder, digest).parent.mkdir(parents=True, exist_ok=True)
        path_in(folder, digest).write_bytes(data)
        label = LABELS[1 - number % 2] if number in wrong else shown
        side = "test" if number // 2 % 5 == 0 else "train"
        made.append(Sample(uuid_of(number), digest, label, int(number in corrected), side))  # type: ignore[arg-type]
    return manifest_of(made)


def learn_job(folder: Path, manifest: Manifest) -> LearnJob:
    return LearnJob(manifest, folder, "patches", SMALL)


def train(folder: Path, manifest: Manifest) -> Fitted:
    job = learn_job(folder, manifest)
    learn(job)
    return fit(FitJob(job, manifest, LABELS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def plain(folder: Path) -> tuple[Manifest, Fitted]:
    manifest = samples(folder)
    return manifest, train(folder, manifest)


def test_a_model_of_forty_pictures_answers_its_test_side(plain: tuple[Manifest, Fitted]) -> None:
    _, fitted = plain
    assert fitted.metrics["test_images"] == 8
    assert fitted.metrics["test_accuracy"] == 1.0
    assert fitted.confusion == ((4, 0), (0, 4))
    assert fitted.curve[-1] < fitted.curve[0]


def test_torch_and_the_artefact_agree(plain: tuple[Manifest, Fitted]) -> None:
    _, fitted = plain
    assert fitted.metrics["parity_difference"] <= 1e-4
    assert fitted.metrics["parity_disagreements"] == 0


def test_the_same_manifest_gives_the_same_bytes(
    folder: Path, plain: tuple[Manifest, Fitted], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, fitted = plain
    monkeypatch.setattr(training_steps, "_latest", None)  # as another process
    again = train(folder, manifest)
    assert again.backbone_id == fitted.backbone_id
    assert again.weights_sha256 == fitted.weights_sha256
    assert again.artefact == fitted.artefact


def test_other_labels_keep_the_backbone_and_change_the_head(folder: Path, plain: tuple[Manifest, Fitted]) -> None:
    _, fitted = plain
    other = train(folder, samples(folder, wrong=(2,), corrected=(2,)))
    assert other.backbone_id == fitted.backbone_id
    assert other.weights_sha256 != fitted.weights_sha256


def test_corrected_images_are_answered_as_corrected_on_both_sides(folder: Path) -> None:
    manifest = samples(
        folder, wrong=(0, 4), corrected=(0, 4, 5)
    )  # 0 is a test image; the head will not believe 0 and 4
    fitted = train(folder, manifest)
    by_id = {sample.image_id: sample for sample in manifest.samples}
    layer = Artefact.parse(fitted.artefact).layer
    assert {image_id for image_id, _ in layer.entries} >= {uuid_of(0)}
    digests = [by_id[uuid_of(number)].sha256 for number in (0, 4, 5)]
    pixels = read_pixels(folder, digests).pixels
    answers = ArtefactSession(fitted.artefact).predict(pixels).probabilities.argmax(axis=1)
    assert [LABELS[answer] for answer in answers] == ["grass", "grass", "grass"]
    assert fitted.metrics["corrected_accuracy"] == 1.0
    assert fitted.metrics["corrected_images"] == 3


def test_a_class_with_one_image_is_answered_there_and_nowhere_else(folder: Path) -> None:
    manifest = samples(folder, corrected=(3,))
    named = [replace(one, label="moss") if one.revision else one for one in manifest.samples]
    [moss] = [one for one in named if one.revision]
    manifest, job = manifest_of(named), learn_job(folder, manifest)
    learn(job)
    fitted = fit(FitJob(job, manifest, LABELS, ("moss",)))
    artefact = Artefact.parse(fitted.artefact)
    pixels = read_pixels(folder, [one.sha256 for one in manifest.samples])
    answered = artefact.predict(pixels.pixels).probabilities.argmax(axis=1)
    said = {digest: artefact.metadata.labels[answer] for digest, answer in zip(pixels.sha256s, answered, strict=True)}
    assert artefact.metadata.labels == (*LABELS, "moss")
    assert said[moss.sha256] == "moss"
    assert sum(label == "moss" for label in said.values()) == 1
    assert fitted.metrics["test_accuracy"] == 1.0


def test_a_corrected_test_image_is_judged_without_its_correction(folder: Path) -> None:
    fitted = train(folder, samples(folder, wrong=(0,), corrected=(0,)))
    assert fitted.metrics["test_reviewed_images"] == 1
    assert fitted.metrics["test_reviewed_accuracy"] == 0, "the head believes the picture"
    assert fitted.metrics["corrected_accuracy"] == 1, "the service believes the person"


def test_the_features_are_those_of_the_artefact(folder: Path, plain: tuple[Manifest, Fitted]) -> None:
    manifest, fitted = plain
    digest = manifest.samples[0].sha256
    pixels = read_pixels(folder, [digest]).pixels
    served = ArtefactSession(fitted.artefact).predict(pixels).features[0]
    stored = read_features(fitted.features_parquet)
    assert set(stored) == {sample.sha256 for sample in manifest.samples}
    np.testing.assert_allclose(stored[digest], served, atol=1e-5)


def test_the_artefact_says_what_it_was_made_from(plain: tuple[Manifest, Fitted]) -> None:
    manifest, fitted = plain
    metadata = Artefact.parse(fitted.artefact).metadata
    assert metadata.manifest_sha256 == manifest.sha256
    assert metadata.backbone_id == fitted.backbone_id
    assert metadata.labels == LABELS


def test_the_layer_lies_in_a_space_of_the_backbone(folder: Path, plain: tuple[Manifest, Fitted]) -> None:
    _, fitted = plain
    artefact = Artefact.parse(fitted.artefact)
    assert artefact.layer.space is not None
    assert artefact.metadata.kappa == artefact.layer.kappa == fitted.metrics["layer_kappa"]
    assert fitted.metrics["layer_view_cosine"] > fitted.metrics["layer_other_cosine"]
    other = Artefact.parse(train(folder, samples(folder, wrong=(2,), corrected=(2,))).artefact)
    assert other.layer.space is not None
    assert np.array_equal(other.layer.space.projection, artefact.layer.space.projection), "labels do not move it"


def test_the_mirrored_image_of_a_correction_is_answered_as_corrected(folder: Path) -> None:
    manifest = samples(folder, wrong=(4,), corrected=(4,))
    fitted = train(folder, manifest)
    digest = next(sample.sha256 for sample in manifest.samples if sample.revision)
    pixels = read_pixels(folder, [digest]).pixels
    answers = ArtefactSession(fitted.artefact).predict(mirror(pixels)).probabilities.argmax(axis=1)
    assert LABELS[int(answers[0])] == "grass"


def test_the_artefact_says_what_its_answers_look_like(folder: Path, plain: tuple[Manifest, Fitted]) -> None:
    manifest, fitted = plain
    artefact = Artefact.parse(fitted.artefact)
    drift = artefact.metadata.drift
    assert drift is not None
    assert (drift.images, len(drift.features.mean), len(drift.labels.mean)) == (len(manifest.samples), 16, 1)
    assert drift.labels.mean[0] == pytest.approx(0.5)
    assert 0.5 < drift.confidence.mean[0] <= 1
    assert artefact.with_layer(artefact.layer, "ab" * 32).metadata.drift == drift  # the fast lane keeps it
    assert drift.features.mean == pytest.approx(_mean_sketch(fitted), abs=1e-3)


def _mean_sketch(fitted: Fitted) -> list[float]:
    features = read_features(fitted.features_parquet)
    return list(np.mean([project_features(row) for row in features.values()], axis=0))


def test_a_file_that_is_no_picture_is_named_and_left_out(folder: Path) -> None:
    manifest = samples(folder)
    broken = b"this is no picture"
    digest = hashlib.sha256(broken).hexdigest()
    path_in(folder, digest).parent.mkdir(parents=True, exist_ok=True)
    path_in(folder, digest).write_bytes(broken)
    damaged = Sample(uuid_of("broken"), digest, "grass", 0, "train")
    job = learn_job(folder, manifest_of([*manifest.samples, damaged]))
    assert learn(job).undecodable == (digest,)
    fitted = fit(FitJob(job, manifest, LABELS))
    assert set(read_features(fitted.features_parquet)) == {sample.sha256 for sample in manifest.samples}


def test_without_any_readable_training_image_there_is_no_model(folder: Path) -> None:
    tests_only = manifest_of(samples(folder).of_side("test"))
    with pytest.raises(NotEnoughImages, match="training side"):
        learn(learn_job(folder, tests_only))


def test_a_file_damaged_on_disk_is_deleted_and_requested_again(tmp_path: Path) -> None:
    manifest = samples(tmp_path, count=4)
    path = path_in(tmp_path, manifest.samples[0].sha256)
    path.write_bytes(b"half")
    with pytest.raises(TransientError, match="damaged"):
        learn(learn_job(tmp_path, manifest))
    assert not path.exists()
    with pytest.raises(TransientError, match="gone"):
        learn(learn_job(tmp_path, manifest))


def test_the_parameters_name_everything_that_shapes_a_model() -> None:
    found = parameters("patches", SMALL)
    assert found["backbone"] == "patches"
    assert found["pairs"] == 8
    assert {"layer_view_weight", "ridge", "margin", "inverse_penalty", "input_size", "format_version"} <= set(found)


def test_two_images_with_the_same_bytes_do_no_harm(folder: Path) -> None:
    manifest = samples(folder)
    twin = replace(manifest.of_side("test")[0], image_id=uuid_of("twin"))
    fitted = train(folder, manifest_of([*manifest.samples, twin]))
    assert fitted.metrics["test_images"] == 9


def test_the_images_are_read_once_in_a_training(tmp_path: Path) -> None:
    manifest = samples(tmp_path)
    job = learn_job(tmp_path, manifest)
    learn(job)
    shutil.rmtree(tmp_path)
    assert fit(FitJob(job, manifest, LABELS)).metrics["parity_disagreements"] == 0


def test_a_fit_after_another_learning_learns_its_own_backbone_again(
    folder: Path, plain: tuple[Manifest, Fitted]
) -> None:
    manifest, fitted = plain
    job = learn_job(folder, manifest)
    learn(job)
    learn(learn_job(folder, samples(folder, count=30)))
    assert fit(FitJob(job, manifest, LABELS)).artefact == fitted.artefact


@pytest.mark.timeout(480)  # two children import torch and export for the first time
async def test_a_child_killed_before_the_fit_gives_the_same_model(folder: Path, plain: tuple[Manifest, Fitted]) -> None:
    manifest, fitted = plain
    job = learn_job(folder, manifest)
    with WorkerProcess(MODULE) as child:
        process = TrainingProcess(child, "patches", {})
        await process.learn(job)
        killed = child.pid
        os.kill(killed, signal.SIGKILL)
        await eventually(lambda: killed not in [running.pid for running in multiprocessing.active_children()])
        again = await process.fit(FitJob(job, manifest, LABELS))
        assert child.pid != killed
    assert again.artefact == fitted.artefact
    assert again.features_parquet == fitted.features_parquet


def test_where_only_labels_changed_nothing_is_learned_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, later = samples(folder), samples(folder, wrong=(2,), corrected=(2, 0))
    monkeypatch.setattr(training_steps, "_latest", None)
    assert learn(learn_job(folder, first)).seconds
    assert not learn(learn_job(folder, later)).seconds  # nothing took any time
    again = fit(FitJob(learn_job(folder, later), later, LABELS))
    monkeypatch.setattr(training_steps, "_latest", None)
    assert fit(FitJob(learn_job(folder, later), later, LABELS)).artefact == again.artefact
    assert learn(learn_job(folder, samples(folder, 38))).seconds, "an image less is another backbone"


def test_more_images_than_memory_shall_hold_lie_on_the_disk(
    folder: Path, plain: tuple[Manifest, Fitted], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, fitted = plain
    digests = [sample.sha256 for sample in manifest.samples]
    before = sorted(folder.rglob("*"))
    monkeypatch.setattr(decoding, "IN_MEMORY", 0)
    assert isinstance(read_pixels(folder, digests).pixels, np.memmap)
    monkeypatch.setattr(training_steps, "_latest", None)
    assert train(folder, manifest).artefact == fitted.artefact
    assert sorted(folder.rglob("*")) == before, "the file has no name"


def test_blocks_of_images_are_answered_as_all_at_once(
    folder: Path, plain: tuple[Manifest, Fitted], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, fitted = plain
    for module in (reference_inference, layer_space, evaluation):
        monkeypatch.setattr(module, "A_BLOCK", 7)
    monkeypatch.setattr(training_steps, "_latest", None)
    in_blocks = train(folder, manifest)
    assert in_blocks.metrics == pytest.approx(fitted.metrics, abs=1e-5)
    assert in_blocks.confusion == fitted.confusion
