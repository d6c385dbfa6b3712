"""What the training process does: arithmetic on images and labels, the same result for the same job. The only module of
the full lane that imports torch; it lives in the child process."""

import hashlib
import time
from collections.abc import Mapping, Sequence

import numpy as np

from services.trainer.dataset.manifest import Sample
from services.trainer.features.parquet import write_features
from services.trainer.full_lane.decisions.evaluation import evaluate_model, truths_of
from services.trainer.full_lane.decoding import read_pixels, stack
from services.trainer.full_lane.jobs import FitJob, Fitted, Learned, LearnJob, NotEnoughImages, Parameters
from services.trainer.model.arrays import Floats
from services.trainer.model.correction_layer import KAPPA, MARGIN, RIDGE, CorrectionLayer, empty_layer, fit_layer
from services.trainer.model.head import Head
from services.trainer.model.onnx_artefact import assemble
from services.trainer.model.reference_inference import compare_runtimes, predict_probabilities
from services.trainer.model.sessions import ArtefactSession, FeatureExtractor, mirror
from services.trainer.training import recipe_parameters, train_backbone
from services.trainer.training.logistic_regression import INVERSE_PENALTY, fit_head
from shared.contract.artefact import FORMAT_VERSION, ArtefactMetadata
from shared.imaging.preprocessing import INPUT_SIZE


def parameters(backbone: str, backbone_settings: Mapping[str, float]) -> Parameters:
    """Everything beside the manifest that shapes a model: part of its version, and recorded with it."""
    constants: Parameters = {
        "input_size": INPUT_SIZE,
        "format_version": FORMAT_VERSION,
        "inverse_penalty": INVERSE_PENALTY,
        "kappa": KAPPA,
        "ridge": RIDGE,
        "margin": MARGIN,
    }
    return recipe_parameters(backbone, backbone_settings) | constants


def load_libraries() -> None:
    """Learn and export something tiny, so that the first real training does not pay for what torch does only once."""
    noise = np.random.default_rng(0).integers(0, 255, (2, INPUT_SIZE, INPUT_SIZE, 3), dtype=np.uint8)
    train_backbone("patches", noise, 0, {"filters": 2, "dimensions": 2, "sampled_patches": 50, "iterations": 1})


def learn(job: LearnJob) -> Learned:
    """The backbone from the images of the training side alone, and the features of all images under it.

    The seed comes from those images, not from their labels: labels may still change before the head is fitted, and the
    final manifest must lead to this very backbone.

    Raises:
        NotEnoughImages: if no image of the training side can be decoded.
        TransientError: a file of the image folder is missing or damaged.
    """
    started = time.perf_counter()
    pixels, undecodable = read_pixels(job.folder, [sample.sha256 for sample in job.manifest.samples])
    readable = [sample for sample in job.manifest.samples if sample.sha256 in pixels]
    training = [sample.sha256 for sample in readable if sample.side == "train"]
    if not training:
        raise NotEnoughImages("No image of the training side can be decoded: look at the objects under images/.")
    prepared = time.perf_counter()
    seed = int(hashlib.sha256("\n".join(training).encode()).hexdigest()[:8], 16)
    tests = [sample.sha256 for sample in readable if sample.side == "test"]
    backbone = train_backbone(
        job.backbone, stack(pixels, training), seed, job.backbone_settings, probe=stack(pixels, tests)
    )
    trained = time.perf_counter()
    extractor = FeatureExtractor(backbone.onnx)
    everything = stack(pixels, list(pixels))
    return Learned(
        backbone_kind=backbone.kind,
        backbone_onnx=backbone.onnx,
        backbone_id=backbone.id,
        sha256s=tuple(pixels),
        features=extractor.features(everything),
        mirrored_features=extractor.features(mirror(everything)),
        probe_sha256s=tuple(tests),
        probe_features=backbone.probe_features,
        undecodable=tuple(undecodable),
        seconds={"prepare": prepared - started, **backbone.seconds, "features": time.perf_counter() - trained},
    )


def fit(job: FitJob) -> Fitted:
    """Head, correction layer and artefact from the labels of the manifest, and what the artefact is worth.

    Test images are judged without their own corrections. Parity compares torch with the artefact under onnxruntime.
    """
    started = time.perf_counter()
    learned, row = job.learned, {digest: index for index, digest in enumerate(job.learned.sha256s)}
    training = job.manifest.of_side("train")
    rows = [row[sample.sha256] for sample in training]
    seen_twice = np.concatenate((learned.features[rows], learned.mirrored_features[rows]))  # [2n, d]
    fitted = fit_head(seen_twice, [sample.label for sample in training] * 2, job.labels)
    head_done = time.perf_counter()
    layer = _fit_layer(
        fitted.head, [sample for sample in job.manifest.samples if sample.revision], learned.features, row
    )
    described = ArtefactMetadata(
        labels=job.labels,
        backbone_kind=learned.backbone_kind,
        backbone_id=learned.backbone_id,
        manifest_sha256=job.manifest.sha256,
        input_size=INPUT_SIZE,
        kappa=layer.kappa,
        corrections=layer.entries,
    )
    artefact = assemble(learned.backbone_onnx, fitted.head, layer, described)
    assembled = time.perf_counter()
    metrics, confusion = evaluate_model(
        fitted.head, layer, job.manifest, dict(zip(learned.sha256s, learned.features, strict=True))
    )
    metrics |= _check_parity(job, fitted.head, layer, artefact.data)
    finished = time.perf_counter()
    return Fitted(
        artefact=artefact.data,
        weights_sha256=artefact.hash_weights(),
        features_parquet=write_features(learned.sha256s, learned.features),
        metrics=metrics,
        confusion=confusion,
        curve=fitted.curve,
        seconds={"head": head_done - started, "layer": assembled - head_done, "evaluation": finished - assembled},
    )


def _fit_layer(head: Head, corrected: Sequence[Sample], features: Floats, row: Mapping[str, int]) -> CorrectionLayer:
    """What the new head does not answer as corrected, on either side of the split."""
    if not corrected:
        return empty_layer(features.shape[1], len(head.labels))
    centers = features[[row[sample.sha256] for sample in corrected]]
    entries = [(sample.image_id, sample.revision) for sample in corrected]
    return fit_layer(centers, head.logits(centers), truths_of(corrected, head.labels), entries)


def _check_parity(job: FitJob, head: Head, layer: CorrectionLayer, artefact: bytes) -> dict[str, float]:
    """How far torch and the artefact are apart on the test side: the gate looks at it."""
    digests = job.learned.probe_sha256s
    pixels, _ = read_pixels(job.folder, digests)
    served = ArtefactSession(artefact).predict(stack(pixels, digests))
    found = compare_runtimes(predict_probabilities(head, layer, job.learned.probe_features), served.probabilities)
    return {"parity_difference": found.difference, "parity_disagreements": float(found.disagreements)}
