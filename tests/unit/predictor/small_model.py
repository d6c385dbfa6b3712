"""A real artefact, small enough to be made in a test: the mean colour of an image decides."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from shared.artefacts import write_layer
from shared.contract.artefact import (
    CENTERS,
    COEFFICIENTS,
    CORRECTION_WEIGHTS,
    FEATURES,
    INPUT,
    LAYER_FORMAT_VERSION,
    METADATA_KEY,
    PROBABILITIES,
    ArtefactMetadata,
    BaseArtefact,
)

KAPPA = 10.0
METADATA = ArtefactMetadata(
    labels=("dandelion", "grass"),
    backbone_kind="mean-colour",
    backbone_id="0" * 64,
    manifest_sha256="1" * 64,
    input_size=96,
    kappa=KAPPA,
)


def small_artefact(
    bias: Sequence[float] = (0.0, 0.0),
    corrections: Sequence[tuple[UUID, Sequence[float]]] = (),
    metadata: ArtefactMetadata | None = METADATA,
) -> bytes:
    """Return an artefact: red is for dandelion, green for grass, and `bias` (logits) tells one version from another.
    `corrections` are images and the colour each of them has."""
    centres = np.array([colour for _, colour in corrections] or [(0.0, 0.0, 0.0)], np.float32)  # [m, 3]
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
    numbers: dict[str, NDArray[np.float32] | NDArray[np.int64]] = {
        "axes": np.array([1, 2], np.int64),
        "white": np.array(255, np.float32),
        "colours": np.array([[4, 0], [0, 4], [0, 0]], np.float32),
        "bias": np.array(bias, np.float32),
        CENTERS: centres,
        COEFFICIENTS: np.zeros((len(centres), len(bias)), np.float32),
        "axis": np.array([1], np.int64),
        "shortest": np.array(1e-6, np.float32),
        "one": np.array(1, np.float32),
        "kappa": np.array(KAPPA, np.float32),
    }
    nodes = [
        helper.make_node("Cast", [INPUT], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "white"], [FEATURES]),
        helper.make_node("Gemm", [FEATURES, "colours", "bias"], ["head"]),
        helper.make_node("ReduceL2", [FEATURES, "axis"], ["length"], keepdims=1),
        helper.make_node("Max", ["length", "shortest"], ["divisor"]),
        helper.make_node("Div", [FEATURES, "divisor"], ["unit"]),
        helper.make_node("Gemm", ["unit", CENTERS], ["cosine"], transB=1),
        helper.make_node("Sub", ["cosine", "one"], ["nearness"]),
        helper.make_node("Mul", ["nearness", "kappa"], ["exponent"]),
        helper.make_node("Exp", ["exponent"], [CORRECTION_WEIGHTS]),
        helper.make_node("Gemm", [CORRECTION_WEIGHTS, COEFFICIENTS, "head"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [PROBABILITIES], axis=-1),
    ]
    outputs: list[tuple[str, int | str]] = [
        (PROBABILITIES, len(bias)),
        (FEATURES, 3),
        (CORRECTION_WEIGHTS, "corrections"),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["batch", 96, 96, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size]) for name, size in outputs],
        [numpy_helper.from_array(array, name) for name, array in numbers.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if metadata is not None:
        entries = tuple((image_id, 1) for image_id, _ in corrections)
        described = replace(metadata, corrections=metadata.corrections or entries)
        helper.set_model_props(model, {METADATA_KEY: described.to_json()})
    return bytes(model.SerializeToString())


def layer_on(base: bytes, key: str, corrections: Sequence[tuple[UUID, Sequence[float], Sequence[float]]]) -> bytes:
    """Return a layer alone on a small artefact under this key: images, the colour of each, and what that adds to the
    logits."""
    colours = np.array([colour for _, colour, _ in corrections], np.float32).reshape(-1, 3)
    colours /= np.maximum(np.linalg.norm(colours, axis=1, keepdims=True), 1e-12)
    added = np.array([logits for *_, logits in corrections], np.float32).reshape(-1, len(METADATA.labels))
    described = replace(
        METADATA,
        corrections=tuple((image_id, 1) for image_id, *_ in corrections),
        base=BaseArtefact(key, sha256_of(base)),
        format_version=LAYER_FORMAT_VERSION,
    )
    return write_layer(colours, added, described.to_json())


def sha256_of(data: bytes) -> str:
    """Return the hash by which promotions name artefacts."""
    return hashlib.sha256(data).hexdigest()


def picture(red: int = 128, green: int = 128, blue: int = 128) -> bytes:
    """Return a PNG of one colour, 32 x 24 pixels."""
    buffer = BytesIO()
    Image.new("RGB", (32, 24), (red, green, blue)).save(buffer, "PNG")
    return buffer.getvalue()
