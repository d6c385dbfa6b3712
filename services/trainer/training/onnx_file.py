"""`onnx`: any ONNX file that gives features of images, without any learning of our own.

Its graph becomes part of the artefact, and so has to pass what every artefact passes
(`shared/artefacts/graph.py`): known operators, no other files, a bounded cost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, compose, helper, numpy_helper, version_converter

from services.trainer.model.sessions import FeatureExtractor, run_graph
from services.trainer.training.recipe import BackboneRecipe, Setting
from services.trainer.training.resizing import resize, resize_matrix
from shared.artefacts import parse_artefact
from shared.contract.artefact import FEATURES, INPUT
from shared.runtime.errors import InvalidMessage

PREFIX = "file/"
OLDEST_OPSET = 18
"""Head and correction layer are written for it; an older file is converted."""


@dataclass(frozen=True)
class OnnxFile(BackboneRecipe):
    """`file` is the path of the ONNX file, which takes float32 [batch, 3, size, size] under its only input. `size` is
    that side in pixels; `mean` and `deviation` are those of red, green and blue in 0..1 that it expects to be taken
    off and divided by. `output` is the output that gives the features; by default the first. What it gives for an
    image is made flat.
    """

    file: str = ""
    size: int = 224
    mean: str = "0.485 0.456 0.406"
    deviation: str = "0.229 0.224 0.225"
    output: str = ""

    def learn(self, images: NDArray[np.uint8], labels: Sequence[str], seed: int) -> "WrappedFile":  # noqa: ARG002
        """See `BackboneRecipe.learn`; nothing is learned.

        Raises:
            ValueError: the file cannot be read, takes or gives something else, or may not be run; the text says what.
        """
        wrapped = WrappedFile(self, images.shape[1])
        try:
            parse_artefact(wrapped.onnx)
            few = np.concatenate((images, images, images))[:3]
            together, alone = (FeatureExtractor(wrapped.onnx).features(some) for some in (few, few[:1]))
        except InvalidMessage as refused:
            raise ValueError(f"The file {self.file} cannot serve as a backbone. {refused}") from refused
        except Exception as error:  # onnxruntime's own classes, which have no common base
            raise ValueError(
                f"The file {self.file} does not answer images of {self.size} pixels ({error}). Set `size`, and export"
                " it with a free batch size."
            ) from error
        if together.ndim != 2 or len(together) != 3 or not np.allclose(together[:1], alone, rtol=1e-3, atol=1e-3):
            raise ValueError(
                f"The file {self.file} does not give one row for each image. Export it with a free batch size."
            )
        return wrapped

    def contents(self) -> Mapping[str, Setting]:
        """See `BackboneRecipe.contents`: the hash of the file."""
        return {"file_sha256": sha256(read_file(self.file)).hexdigest()}


def read_file(path: str) -> bytes:
    """Return the bytes of a file that a setting names.

    Raises:
        ValueError: the setting is empty, or the file cannot be read.
    """
    if not path:
        raise ValueError('This backbone comes from a file: name it, PAPPUS_BACKBONE_SETTINGS=\'{"file": "path"}\'.')
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(
            f"The file of the backbone cannot be read ({error}). Set `file` to one that is there."
        ) from error


class WrappedFile:
    """The graph of the file behind our preprocessing: see `recipe.GraphNetwork`."""

    def __init__(self, recipe: OnnxFile, image_size: int) -> None:
        self._recipe, self._image_size = recipe, image_size
        self._bare = _only_numbers(recipe)
        self._output = _output_name(self._bare.graph, recipe.output)
        self._mean, self._deviation = (colours[:, None, None] for colours in _colours(recipe))  # [3, 1, 1]

    @cached_property
    def onnx(self) -> bytes:
        """Cast, to [b, 3, h, w], resized by two products, normalised, then the file, then flat."""
        model, recipe = ModelProto(), self._recipe
        model.CopyFrom(compose.add_prefix(self._bare, PREFIX))
        graph = model.graph
        inner, output = graph.input[0].name, PREFIX + self._output
        matrix = resize_matrix(self._image_size, recipe.size).numpy()  # [after, before]
        mean, deviation = 255 * self._mean, 255 * self._deviation
        constants = {"rows": matrix, "columns": matrix.T.copy(), "mean": mean, "deviation": deviation}
        prepared = [
            helper.make_node("Cast", [INPUT], ["prepare/float"], to=TensorProto.FLOAT),
            helper.make_node("Transpose", ["prepare/float"], ["prepare/channels"], perm=[0, 3, 1, 2]),
            helper.make_node("MatMul", ["prepare/rows", "prepare/channels"], ["prepare/lower"]),
            helper.make_node("MatMul", ["prepare/lower", "prepare/columns"], ["prepare/resized"]),
            helper.make_node("Sub", ["prepare/resized", "prepare/mean"], ["prepare/centred"]),
            helper.make_node("Div", ["prepare/centred", "prepare/deviation"], [inner]),
        ]
        nodes = [*prepared, *graph.node, helper.make_node("Flatten", [output], [FEATURES], axis=1)]
        for number, node in enumerate(nodes):
            node.name = node.name or f"{PREFIX}{number}"
        size = self._image_size
        width = int(np.prod(self._run(np.zeros((1, size, size, 3), np.uint8)).shape[1:]))
        wrapped = helper.make_graph(
            nodes,
            "file",
            [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["batch", size, size, 3])],
            [helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["batch", width])],
            [
                *graph.initializer,
                *(
                    numpy_helper.from_array(np.asarray(values, np.float32), f"prepare/{name}")
                    for name, values in constants.items()
                ),
            ],
        )
        made = helper.make_model(wrapped, opset_imports=model.opset_import, ir_version=max(model.ir_version, 8))
        made.producer_name = made.producer_version = ""
        return bytes(made.SerializeToString(deterministic=True))

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return float32 [n, d] by the bare file, from images that torch prepares."""
        rows = [self._run(images[at : at + 1]).reshape(1, -1) for at in range(len(images))]
        return np.concatenate(rows) if rows else np.zeros((0, 0), np.float32)

    def _run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        prepared = (resize(images, self._recipe.size) / np.float32(255) - self._mean) / self._deviation
        return run_graph(self._bare.SerializeToString(), prepared.astype(np.float32), self._output)


def _only_numbers(recipe: OnnxFile) -> ModelProto:
    """Return the model of the file for any batch size, in an opset that head and layer fit, without what it notes."""
    read_file(recipe.file)
    try:
        model = onnx.load(recipe.file)
        opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
        if opset < OLDEST_OPSET:
            model = version_converter.convert_version(model, OLDEST_OPSET)
    except Exception as error:  # the protobuf library's and the converter's own classes
        raise ValueError(
            f"The file {recipe.file} is not an ONNX model that can be used ({error}). Export it again."
        ) from error
    graph = model.graph
    numbers = {tensor.name for tensor in graph.initializer}
    inputs = [entry for entry in graph.input if entry.name not in numbers]
    if len(inputs) != 1:
        raise ValueError(f"The file {recipe.file} takes {len(inputs)} inputs; a backbone takes one, a batch of images.")
    del graph.input[:]
    graph.input.extend(inputs)
    for entry in (*graph.input, *graph.output):
        if entry.type.tensor_type.shape.dim:
            entry.type.tensor_type.shape.dim[0].dim_param = "batch"
    del graph.value_info[:]
    used = {node.domain for node in graph.node}
    kept = [entry for entry in model.opset_import if entry.domain in ("", "ai.onnx") or entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    for noted in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        noted.ClearField("metadata_props")
        noted.ClearField("doc_string")
    return model


def _output_name(graph: onnx.GraphProto, wanted: str) -> str:
    names = [output.name for output in graph.output]
    if wanted and wanted not in names:
        raise ValueError(f"The file has no output {wanted!r}. It has {', '.join(names)}.")
    return wanted or names[0]


def _colours(recipe: OnnxFile) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and deviation, float32 [3] each."""
    try:
        mean, deviation = (np.array(text.split(), np.float32) for text in (recipe.mean, recipe.deviation))
    except ValueError as error:
        raise ValueError(f"`mean` and `deviation` are three numbers each, with spaces between ({error}).") from error
    if mean.shape != (3,) or deviation.shape != (3,) or not (deviation > 0).all():
        raise ValueError("`mean` and `deviation` are three numbers each, those of `deviation` above 0.")
    return mean, deviation
