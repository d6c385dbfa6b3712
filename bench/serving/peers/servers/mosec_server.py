"""Mosec: a compiled HTTP server (Rust) before worker processes in Python."""

from typing import Any

import mosec

from bench.serving.peers.servers.classifier import Classifier
from bench.serving.peers.servers.settings import WORKERS


class Photographs(mosec.Worker):  # type: ignore[misc]
    """One worker."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = Classifier()

    def deserialize(self, data: bytes) -> bytes:
        """Take the body as it is."""
        return data

    def forward(self, data: bytes) -> dict[str, Any]:
        """Return label and probabilities."""
        return self.classifier.answer(data)


if __name__ == "__main__":
    server = mosec.Server()
    server.append_worker(Photographs, num=WORKERS, route="/predict")
    server.run()
