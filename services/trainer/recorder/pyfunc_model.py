"""Loads a model of Pappus in a program that has only MLflow and the packages of the model's requirements.txt.

A copy of this module, and of the modules that decode pictures, lies beside every champion in MLflow: for
`mlflow.pyfunc.load_model` it is the loader module (https://mlflow.org/docs/latest/python_api/mlflow.pyfunc.html). So it
imports nothing of Pappus but `shared.imaging`, and answers as a replica of the predictor does.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import onnxruntime  # type: ignore[import-untyped]

from shared.imaging.preprocessing import prepare_image

Prediction = dict[str, Any]
"""The likeliest label, and the probability of each, in [0, 1]: {"label": str, "probabilities": {label: float}}."""


class PyfuncModel:
    """What `mlflow.pyfunc.load_model` returns a wrapper of."""

    def __init__(self, artefact: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # as the predictor: another number changes the last bits
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(artefact), options, providers=["CPUExecutionProvider"])
        properties = self._session.get_modelmeta().custom_metadata_map
        self.labels: tuple[str, ...] = tuple(json.loads(properties["pappus"])["labels"])

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> list[Prediction]:  # noqa: ARG002
        """Return the answers about images, each the bytes of a JPEG, PNG, WebP, GIF or BMP file.

        `model_input` is what MLflow makes of bytes, of a list of bytes, or of a table: a table with one column.

        Raises:
            UndecodableImage: one of them is no image; the text says why.
        """
        column = model_input.iloc[:, 0] if hasattr(model_input, "iloc") else model_input
        images: Iterable[bytes] = [column] if isinstance(column, bytes) else column
        return [self._answer(data) for data in images]

    def _answer(self, data: bytes) -> Prediction:
        pixels = prepare_image(data).pixels  # uint8 [96, 96, 3]
        probabilities = self._session.run(["probabilities"], {"image": pixels[None]})[0][0]  # float32 [c]
        likeliest = int(probabilities.argmax())
        return {
            "label": self.labels[likeliest],
            "probabilities": {name: float(share) for name, share in zip(self.labels, probabilities, strict=True)},
        }


def _load_pyfunc(path: str) -> PyfuncModel:
    return PyfuncModel(Path(path))
