"""What the Open Inference Protocol says of a model and of images, in the forms of neither HTTP nor gRPC."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from services.predictor.api.predictions import Asker, HasLeft
from services.predictor.api.standards.batches import Batches, bad_request
from services.predictor.api.standards.pictures import IMAGE, PIXELS, images_of
from services.predictor.api.standards.tensors import InferRequest, Output, OutputRequest
from services.predictor.model.holder import ServingModel
from shared.http.problems import Problem
from shared.runtime.health import Health

VERSION = "1"
"""Of the API, as its description has it."""
SERVER: dict[str, Any] = {"name": "pappus", "version": VERSION, "extensions": ["binary_tensor_data"]}
DEFAULT_OUTPUTS = ("label", "probabilities", "model_version", "prediction_id")
CLASSES = "classes"
"""An output on request: the label of each column of the probabilities."""


@dataclass(frozen=True, slots=True)
class Inferred:
    """The answer to a request: the model that gave it, and each output, to be sent as bytes or not."""

    id: str | None
    serving: ServingModel
    outputs: tuple[tuple[Output, bool], ...]


class Inference:
    """Answers the questions of the protocol."""

    def __init__(self, batches: Batches, health: Health) -> None:
        self.batches = batches
        self.health = health
        self.predictions = batches.predictions

    def serving(self, name: str, version: str | None) -> ServingModel:
        """Return the model in service. Raises Problem: 503 without one, 404 if another name or version is asked for
        (None: any)."""
        serving = self.predictions.serving()
        promotion = serving.promotion
        if name != promotion.model_name:
            detail = f"There is no model {name[:100]!r}. Ask for {promotion.model_name!r}."
            raise Problem(404, "no_such_model", detail)
        if version is not None and version != promotion.version:
            detail = (
                f"Version {version[:100]!r} of the model does not serve here; {promotion.version!r} does. Ask for that"
                " one, or name no version."
            )
            raise Problem(404, "no_such_version", detail)
        return serving

    async def infer(
        self,
        read: Callable[[], InferRequest],
        size_bytes: int,
        name: str,
        version: str | None,
        asker: Asker,
        has_left: HasLeft,
    ) -> Inferred:
        """Answer a request of this size that has come whole. `read` returns what it says.

        Raises:
            Problem: 400, 404, 413, 503; see `Batches.answer`, `serving`.
        """
        asked, images = await self.batches.read(partial(_read, read), size_bytes)
        del read
        wanted = _wanted_outputs(asked)
        serving = self.serving(name, version)  # read once: a request is answered by one version, the one it names
        found = await self.batches.answer(images, serving, asker, has_left)
        labels = serving.model.metadata.labels
        outputs = tuple((_output(each.name, found, labels), each.binary) for each in wanted)
        return Inferred(asked.id, serving, outputs)


def described(serving: ServingModel) -> dict[str, Any]:
    """Return what the protocol says of a model: name, versions, platform, inputs and outputs."""
    labels = len(serving.model.metadata.labels)
    inputs = [(IMAGE, "BYTES", [-1]), (PIXELS, "UINT8", [-1, -1, -1, 3])]
    outputs = [
        *((name, "BYTES", [-1]) for name in DEFAULT_OUTPUTS if name != "probabilities"),
        ("probabilities", "FP32", [-1, labels]),
        (CLASSES, "BYTES", [labels]),
    ]
    return {
        "name": serving.promotion.model_name,
        "versions": [serving.promotion.version],
        "platform": "onnxruntime_onnx",
        "inputs": [dict(zip(("name", "datatype", "shape"), each, strict=True)) for each in inputs],
        "outputs": [dict(zip(("name", "datatype", "shape"), each, strict=True)) for each in outputs],
    }


def _read(read: Callable[[], InferRequest]) -> tuple[InferRequest, Sequence[bytes]]:
    """Return a request without its inputs, and its images. Raises Problem (400)."""
    asked = read()
    return replace(asked, inputs=()), images_of(asked.inputs)


def _wanted_outputs(asked: InferRequest) -> tuple[OutputRequest, ...]:
    """Return the outputs to send. Raises Problem (400) if one is unknown or named twice."""
    if asked.outputs is None:
        return tuple(OutputRequest(name, asked.binary_outputs) for name in DEFAULT_OUTPUTS)
    names = [each.name for each in asked.outputs]
    known = (*DEFAULT_OUTPUTS, CLASSES)
    if not set(names).issubset(known) or len(set(names)) < len(names):
        shown = ", ".join(repr(name[:40]) for name in names[:5])
        raise bad_request(f"The outputs {shown} are asked for. Ask for some of {', '.join(known)}, each once.")
    return asked.outputs


def _output(name: str, found: Sequence[dict[str, Any]], labels: Sequence[str]) -> Output:
    """Return one output of the answers, each the fields of a PredictionBody."""
    if name == CLASSES:
        return Output(name, list(labels))
    if name == "probabilities":
        rows = [[answer["probabilities"][label] for label in labels] for answer in found]
        return Output(name, np.array(rows, np.float32))
    return Output(name, [answer[name] for answer in found])
