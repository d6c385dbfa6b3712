"""LitServe: worker processes that take requests from a queue of its API processes, over ZeroMQ."""

from typing import Any

import litserve
from starlette.requests import Request

from bench.serving.peers.servers.classifier import Classifier
from bench.serving.peers.servers.settings import HOST, PORT, WORKERS


class Photographs(litserve.LitAPI):  # type: ignore[misc]
    """One worker."""

    def setup(self, device: str) -> None:
        """Load the model in the process of the worker."""
        del device
        self.classifier = Classifier()

    def decode_request(self, request: Request) -> bytes:
        """Return the uploaded photograph."""
        return request["file"].file.read()  # type: ignore[no-any-return]

    def predict(self, photograph: bytes) -> dict[str, Any]:
        """Return label and probabilities."""
        return self.classifier.answer(photograph)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """Return the answer as it is."""
        return output


if __name__ == "__main__":
    server = litserve.LitServer(
        Photographs(api_path="/predict"),
        accelerator="cpu",
        workers_per_device=WORKERS,
        fast_queue=True,
        disable_openapi_url=True,
    )
    server.run(host=HOST, port=PORT, log_level="critical", generate_client_file=False, access_log=False)
