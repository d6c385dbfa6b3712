"""KServe: a custom model of its Python SDK, asked with the bytes of the photograph, without gRPC and lines in a log.

What it measures of each request (timings, Prometheus histograms) cannot be switched off.
"""

import logging
from functools import cache
from typing import Any

import kserve

from bench.serving.peers.servers.classifier import Classifier
from bench.serving.peers.servers.settings import PORT, WORKERS

logging.getLogger("kserve").addHandler(logging.NullHandler())  # with one of its own it does not configure its lines


@cache
def classifier() -> Classifier:
    """Return the classifier of this process."""
    return Classifier()


class Photographs(kserve.Model):  # type: ignore[misc]
    """The model. It is sent to the worker processes, which a session of onnxruntime cannot be: each makes its own."""

    def __init__(self) -> None:
        super().__init__("photographs")
        self.ready = True

    def predict(self, payload: bytes, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Return label and probabilities."""
        del headers
        return classifier().answer(payload)


if __name__ == "__main__":
    server = kserve.ModelServer(http_port=PORT, workers=WORKERS, enable_grpc=False, enable_latency_logging=False)
    server.start([Photographs()])
