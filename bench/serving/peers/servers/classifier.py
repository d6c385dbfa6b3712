"""The model behind the servers: decoded, resized and answered as the predictor does it, and nothing besides."""

import json
from typing import Any

import cv2
import onnxruntime  # type: ignore[import-untyped]
import simplejpeg  # type: ignore[import-untyped]

from bench.serving.peers.servers.settings import MODEL


class Classifier:
    """The model of one worker process. One thread of onnxruntime: there are as many processes as cores."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])
        metadata = json.loads(self._session.get_modelmeta().custom_metadata_map["pappus"])
        self._labels: list[str] = metadata["labels"]
        self._size = (metadata["input_size"],) * 2

    def answer(self, photograph: bytes) -> dict[str, Any]:
        """Return label and probabilities of a JPEG photograph."""
        pixels = simplejpeg.decode_jpeg(photograph, colorspace="RGB")
        image = cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA)
        (probabilities,) = self._session.run(["probabilities"], {"image": image[None]})
        found = probabilities[0].tolist()
        return {
            "label": self._labels[found.index(max(found))],
            "probabilities": dict(zip(self._labels, found, strict=True)),
        }
