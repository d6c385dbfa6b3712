"""The folder that MLflow loads a model from: it holds all that its code needs, and answers as a predictor does."""

import ast
import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from services.predictor.decisions.answers import answer_of
from services.predictor.model.onnx_model import Model
from services.trainer.recorder.model_folder import REQUIREMENTS, write_model_folder
from shared.imaging.preprocessing import prepare_image
from shared.testing import model_trained
from tests.unit.predictor.small_model import picture, small_artefact

PROGRAM = """
import base64, json, sys
sys.path.insert(0, sys.argv[1])
import pappus_pyfunc_model
model = pappus_pyfunc_model._load_pyfunc(sys.argv[2])
images = [base64.b64decode(line) for line in sys.stdin]
own = sorted(name for name in sys.modules if name.split(".")[0] in ("services", "pappus", "shared"))
print(json.dumps([model.predict(images), own, sys.modules["shared"].__file__]))
"""
OTHER_NAMES = {"cv2": "opencv-python-headless", "PIL": "pillow"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model_folder(tmp_path, model_trained(version="full-1"), small_artefact(), "a run", "3.6.0")
    return tmp_path


def test_a_program_with_the_folder_alone_answers_as_a_predictor(folder: Path) -> None:
    images = [picture(0), picture(200)]
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder / "code"), str(folder / "data" / "model.onnx")],
        input="\n".join(base64.b64encode(image).decode() for image in images),
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    answers, own_modules, place = json.loads(ended.stdout)
    model = Model(small_artefact())
    served = [answer_of(model.answer(prepare_image(image).pixels), model.metadata) for image in images]
    assert answers == [{"label": one.label, "probabilities": one.probabilities} for one in served]
    assert all(name == "shared" or name.startswith("shared.imaging") for name in own_modules)
    assert Path(place).is_relative_to(folder)


def test_the_requirements_name_what_the_code_imports(folder: Path) -> None:
    lines = (folder / "requirements.txt").read_text().splitlines()
    assert {line.partition("==")[0] for line in lines} == {"mlflow", *REQUIREMENTS}
    imported: set[str] = set()
    for file in (folder / "code").rglob("*.py"):
        if file.stem not in ("lanes", "rendition", "drawing"):  # not on the way from bytes to a prepared image
            imported |= _imports(file)
    outside = imported - set(sys.stdlib_module_names) - {"shared", "pappus_pyfunc_model"}
    assert {OTHER_NAMES.get(name, name) for name in outside} == set(REQUIREMENTS)


def test_mlmodel_has_a_signature_and_names_the_model(folder: Path) -> None:
    found = json.loads((folder / "MLmodel").read_text())
    assert json.loads(found["signature"]["inputs"]) == [{"type": "binary", "required": True}]
    assert [column["name"] for column in json.loads(found["signature"]["outputs"])] == ["label", "probabilities"]
    assert found["metadata"]["version"] == "full-1"


def test_the_same_model_gives_the_same_files(tmp_path: Path) -> None:
    trained = model_trained(version="full-1")
    for name in ("one", "two"):
        write_model_folder(tmp_path / name, trained, small_artefact(), "a run", "3.6.0")
    texts = [
        {file.relative_to(tmp_path / name): file.read_bytes() for file in (tmp_path / name).rglob("*.*")}
        for name in ("one", "two")
    ]
    assert texts[0] == texts[1]


def _imports(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found
