"""What one writes first: FastAPI, an uploaded file, Pillow, the resize of the training, onnxruntime with one thread.

Pillow's own resize (BOX, the nearest to it) moves probabilities by up to 0.2, so that its answers would be others.
"""

import json
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import uvicorn
from fastapi import FastAPI, UploadFile
from PIL import Image

from bench.serving.peers.servers.settings import HOST, MODEL, PORT, WORKERS

app = FastAPI()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(MODEL, options)
metadata = json.loads(session.get_modelmeta().custom_metadata_map["pappus"])


@app.post("/predict")
async def predict(file: UploadFile) -> dict[str, Any]:
    """Return label and probabilities."""
    size = metadata["input_size"]
    image = np.asarray(Image.open(BytesIO(await file.read())).convert("RGB"))
    pixels = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    probabilities = session.run(None, {"image": pixels[np.newaxis]})[0][0]
    return {
        "label": metadata["labels"][int(np.argmax(probabilities))],
        "probabilities": {label: float(value) for label, value in zip(metadata["labels"], probabilities, strict=True)},
    }


if __name__ == "__main__":
    uvicorn.run(f"{__spec__.name}:app", host=HOST, port=PORT, workers=WORKERS, log_level="critical", access_log=False)
