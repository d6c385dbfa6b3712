"""Asks a replica over gRPC with the client of Triton, in a program of its own: that client brings the same messages.

python -m tests.unit.predictor.standards.ask_with_triton_grpc PORT
"""

import sys
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc  # type: ignore[import-untyped]
from tritonclient.utils import InferenceServerException  # type: ignore[import-untyped]

from shared.imaging.decoding import decode
from tests.unit.predictor.small_model import picture

RED, GREEN = picture(255, 0, 0), picture(0, 255, 0)


def images_input(*images: bytes) -> Any:
    """Return an input of files."""
    made = tritonclient.grpc.InferInput("image", [len(images)], "BYTES")
    return made.set_data_from_numpy(np.array(images, np.object_))


def ask(port: int) -> None:
    """Ask everything that a client asks; give 6 images that are answered."""
    with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{port}") as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("plants")
        assert client.is_model_ready("plants", "fast-3")
        with pytest.raises(InferenceServerException, match="'fast-3' does"):
            client.is_model_ready("plants", "fast-2")
        assert client.get_server_metadata().name == "pappus"
        assert list(client.get_model_metadata("plants").versions) == ["fast-3"]

        found = client.infer("plants", [images_input(RED, GREEN)], model_version="fast-3", request_id="9")
        assert found.as_numpy("label").tolist() == [b"dandelion", b"grass"]
        assert found.as_numpy("probabilities").shape == (2, 2)
        assert found.as_numpy("probabilities").dtype == np.float32
        assert found.get_response().id == "9"

        pixels = np.stack([decode(RED), decode(GREEN)])
        sent = tritonclient.grpc.InferInput("pixels", list(pixels.shape), "UINT8")
        sent.set_data_from_numpy(pixels)
        wanted = [tritonclient.grpc.InferRequestedOutput(name) for name in ("classes", "label")]
        for headers in ({}, {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}):
            answer = client.infer("plants", [sent], outputs=wanted, headers=headers, client_timeout=30)
            assert answer.as_numpy("label").astype(str).tolist() == ["dandelion", "grass"]
            assert answer.as_numpy("classes").astype(str).tolist() == ["dandelion", "grass"]

        with pytest.raises(InferenceServerException, match="'fast-3' does"):
            client.infer("plants", [images_input(RED)], model_version="fast-2")
        with pytest.raises(InferenceServerException, match="This is not an image"):
            client.infer("plants", [images_input(b"hello")])
        by_class = tritonclient.grpc.InferRequestedOutput("label", class_count=2)
        with pytest.raises(InferenceServerException, match="Classification is an extension"):
            client.infer("plants", [images_input(RED)], outputs=[by_class])


if __name__ == "__main__":
    ask(int(sys.argv[1]))
