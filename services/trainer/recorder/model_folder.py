"""A model as a folder in MLflow's format, which `mlflow.pyfunc.load_model` loads: graph, code, signature, requirements.

https://mlflow.org/docs/latest/ml/model/ (MLmodel) and the python_function flavour with a loader module. It is written
without MLflow's own `save_model`, which would bring pandas into the trainer.
"""

import json
import platform
from importlib.metadata import version
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import shared.imaging
from services.trainer.recorder import pyfunc_model
from shared.contract.events import ModelTrained

REQUIREMENTS = ("numpy", "onnxruntime", "opencv-python-headless", "pillow", "simplejpeg")
"""What the code in the folder imports, beside the standard library."""
LOADER = "pappus_pyfunc_model"
SIGNATURE = {
    "inputs": json.dumps([{"type": "binary", "required": True}]),
    "outputs": json.dumps(
        [
            {"type": "string", "name": "label", "required": True},
            {"type": "map", "values": {"type": "double"}, "name": "probabilities", "required": True},
        ]
    ),
    "params": None,
}
"""The bytes of an image file each; label and probabilities each. The column has no name, so that bytes and lists of
bytes are taken as well as tables."""


def write_model_folder(folder: Path, trained: ModelTrained, artefact: bytes, run_id: str, mlflow_version: str) -> None:
    """Write the folder of a model whose graph is `artefact`; the same model gives the same files."""
    _write(folder / "data" / "model.onnx", artefact)
    code = folder / "code"
    _write(code / f"{LOADER}.py", Path(pyfunc_model.__file__).read_bytes())
    imaging = Path(shared.imaging.__file__).parent
    _write(code / "shared" / "__init__.py", b"")
    for module in sorted(imaging.glob("*.py")):
        _write(code / "shared" / "imaging" / module.name, module.read_bytes())
    python = platform.python_version()
    requirements = [f"mlflow=={mlflow_version}", *(f"{name}=={version(name)}" for name in REQUIREMENTS)]
    _write_text(folder / "requirements.txt", "".join(f"{line}\n" for line in requirements))
    _write_json(folder / "python_env.yaml", {"python": python, "dependencies": ["-r requirements.txt"]})
    conda = [f"python={python}", "pip", {"pip": requirements}]
    _write_json(folder / "conda.yaml", {"name": "mlflow-env", "channels": ["conda-forge"], "dependencies": conda})
    _write_json(folder / "MLmodel", _mlmodel(trained, run_id, mlflow_version, python))


def _mlmodel(trained: ModelTrained, run_id: str, mlflow_version: str, python: str) -> dict[str, object]:
    return {
        "artifact_path": "model",
        "flavors": {
            "python_function": {
                "loader_module": LOADER,
                "code": "code",
                "data": "data/model.onnx",
                "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
                "python_version": python,
            }
        },
        "metadata": {
            "version": trained.version,
            "artefact_sha256": trained.artefact_sha256,
            "manifest_sha256": trained.manifest_sha256,
        },
        "mlflow_version": mlflow_version,
        "model_uuid": uuid5(NAMESPACE_URL, trained.artefact_sha256).hex,
        "run_id": run_id,
        "signature": SIGNATURE,
        "utc_time_created": f"{trained.occurred_at:%Y-%m-%d %H:%M:%S.%f}",
    }


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def _write_text(file: Path, text: str) -> None:
    _write(file, text.encode())


def _write_json(file: Path, value: object) -> None:
    """Write YAML: JSON is a part of it."""
    _write_text(file, json.dumps(value, indent=2) + "\n")
