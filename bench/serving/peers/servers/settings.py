"""What a server is told by its environment variables: the model, the port, and how many worker processes."""

import os

MODEL = os.environ.get("PEER_MODEL", "model.onnx")
PORT = int(os.environ.get("PEER_PORT", "8000"))
WORKERS = int(os.environ.get("PEER_WORKERS", "2"))
HOST = "127.0.0.1"
