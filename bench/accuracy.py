"""Test accuracy of the full training recipe on a folder of images, and whether it gives the same model twice.

Usage: python -m bench.accuracy --images FOLDER      (FOLDER holds <label>/*.jpg)

For each seed another fifth of the images is the test side. The same images trained twice must give the same weights.
"""

import argparse
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import numpy as np

from services.trainer.dataset.manifest import Manifest, Sample, manifest_of
from services.trainer.dataset.split import side
from services.trainer.model.arrays import Images
from services.trainer.model.correction_layer import empty_layer
from services.trainer.model.head import probabilities
from services.trainer.model.metrics import Evaluation, evaluate
from services.trainer.model.onnx_artefact import Artefact, assemble
from services.trainer.model.reference_inference import compare_runtimes, predict_probabilities
from services.trainer.model.sessions import ArtefactSession
from services.trainer.training.recipe import Learned, learn
from shared.contract.artefact import ArtefactMetadata
from shared.contract.events import uuid_of
from shared.imaging.preprocessing import INPUT_SIZE, decode, prepare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=Path, required=True, help="folder of <label>/*.jpg")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    files = sorted(arguments.images.glob("*/*.jpg"))
    if not files:
        parser.error(f"There are no <label>/*.jpg in {arguments.images}.")
    pixels = {uuid_of(file.parent.name, file.name): prepare(decode(file.read_bytes())) for file in files}
    accuracies = []
    for seed in range(arguments.seeds):
        manifest = manifest_of(_sample(file, seed) for file in files)
        learned, result, difference = _train_and_test(manifest, pixels)
        accuracies.append(result.accuracy or 0.0)
        seconds = ", ".join(f"{stage} {value:.2f} s" for stage, value in learned.seconds.items())
        print(
            f"seed {seed}: {result.images} test images, accuracy {result.accuracy:.4f}, AUC {result.auc or 0:.4f}, "
            f"log loss {result.log_loss:.4f}; torch and onnxruntime differ by {difference:.1e}; {seconds}"
        )
    print(f"mean accuracy {np.mean(accuracies):.4f}, standard deviation {np.std(accuracies):.4f}")
    hashes = {_weights(manifest, _train_and_test(manifest, pixels)[0]) for _ in range(2)}
    print(
        f"the same manifest trained twice: {'the same weights' if len(hashes) == 1 else 'DIFFERENT WEIGHTS'} {hashes}"
    )
    if len(hashes) != 1:
        raise SystemExit(1)


def _sample(file: Path, seed: int) -> Sample:
    label = file.parent.name
    bytes_sha256 = sha256(file.read_bytes()).hexdigest()
    return Sample(uuid_of(label, file.name), bytes_sha256, label, 0, side(f"{seed}:{bytes_sha256}"))


def _train_and_test(manifest: Manifest, pixels: dict[UUID, Images]) -> tuple[Learned, Evaluation, float]:
    train, test = manifest.of_side("train"), manifest.of_side("test")
    train_images, test_images = (np.stack([pixels[sample.image_id] for sample in part]) for part in (train, test))
    labels = manifest.labels
    learned = learn(train_images, [sample.label for sample in train], labels, manifest.seed, probe=test_images)
    head = learned.fitted.head
    truths = np.array([labels.index(sample.label) for sample in test])
    layer = empty_layer(learned.features.shape[1], len(labels))
    answers = ArtefactSession(_artefact(manifest, learned).data).predict(test_images)
    of_torch = probabilities(head.logits(learned.backbone.probe_features))
    of_numpy = predict_probabilities(head, layer, answers.features)
    difference = max(compare_runtimes(other, answers.probabilities).difference for other in (of_torch, of_numpy))
    return learned, evaluate(answers.probabilities, truths, labels), difference


def _artefact(manifest: Manifest, learned: Learned) -> Artefact:
    head, backbone = learned.fitted.head, learned.backbone
    layer = empty_layer(learned.features.shape[1], len(head.labels))
    metadata = ArtefactMetadata(
        head.labels, backbone.kind, backbone.id, manifest.sha256, input_size=INPUT_SIZE, kappa=layer.kappa
    )
    return assemble(backbone.onnx, head, layer, metadata)


def _weights(manifest: Manifest, learned: Learned) -> str:
    return _artefact(manifest, learned).hash_weights()


if __name__ == "__main__":
    main()
