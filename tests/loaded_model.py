"""A model loaded from MLflow by a program of its own, which has MLflow's client and the addresses, and no service."""

import asyncio
import base64
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROGRAM = """
import base64, json, sys, warnings
warnings.simplefilter("ignore")
import mlflow
model = mlflow.pyfunc.load_model(sys.argv[1])
answers = [model.predict(base64.b64decode(line))[0] for line in sys.stdin]
print(json.dumps([answers, model.metadata.metadata]))
"""


async def ask_model_of_mlflow(
    url: str, login: tuple[str, str], uri: str, images: Sequence[bytes], folder: Path
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return the answers of the model that MLflow at `url` has at `uri`, and what the model says about itself."""
    name, password = login
    own = {"MLFLOW_TRACKING_URI": url, "MLFLOW_TRACKING_USERNAME": name, "MLFLOW_TRACKING_PASSWORD": password}
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, uri),
        env=os.environ | own | {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"},
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await program.communicate("\n".join(base64.b64encode(image).decode() for image in images).encode())
    assert program.returncode == 0, errors.decode()
    answers, metadata = json.loads(output.splitlines()[-1])
    return answers, metadata
