"""What the pages may name: tests, metrics, routes, settings, benchmarks. Each is read from the code."""

import ast
import re
from contextlib import nullcontext
from functools import cache
from importlib import import_module

from pydantic import BaseModel
from pydantic_settings import BaseSettings

from infra.observability import catalogue
from pappus.installation.settings import PROFILE, VARIABLES
from pappus.stack.ports import DEFAULT_PORTS
from pappus.stack.settings import PORT_PREFIX
from services.labeler.api.app import create_app
from services.labeler.settings import LabelerSettings
from services.predictor.api.app import build_app
from services.predictor.api.prediction_log import PredictionLog
from services.predictor.api.predictions import Predictions
from services.predictor.api.turns import Turns
from services.predictor.model.holder import ModelHolder
from shared.runtime.health import HEALTH_PATHS, Health
from shared.runtime.settings import SECRETS_FOLDER
from shared.testing import MemoryEventLog, MemoryObjectStore
from tests.documents.markdown import ROOT

SETTINGS = (
    "pappus.mlflow_server.settings",
    "pappus.stack.settings",
    "services.ingestor.settings",
    "services.labeler.settings",
    "services.predictor.settings",
    "services.trainer.full_lane.settings",
    "services.trainer.full_trigger.settings",
    "services.trainer.gate.settings",
    "services.trainer.recorder.settings",
    "services.trainer.settings",
    "shared.runtime.settings",
    "tests.load.settings",
    "tests.server_forms",
)
"""The modules with the classes of settings."""
FILES = ("compose.yaml", "compose.offline.yaml", "Makefile", "pappus/stack/settings.py")
"""Where variables stand that no class of settings has: addresses of containers, repositories, networks of builds."""


@cache
def tests() -> frozenset[str]:
    """Return every test as `tests/.../test_file.py::test_name`, of classes too."""
    found = set()
    for file in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found.add(f"{file.relative_to(ROOT)}::{node.name}")
    return frozenset(found)


@cache
def metrics() -> frozenset[str]:
    """Return the names of all metrics as Prometheus shows them, second names too."""
    return frozenset(re.findall(r"^\| `(\w+)` \|", catalogue.page(), re.MULTILINE))


@cache
def routes() -> frozenset[str]:
    """Return every route of the two APIs and of the health ports: the method, the path, `{}` for a part of it."""
    provider = {
        "oidc_issuer": "https://id.example.org",
        "oidc_client_id": "pappus",
        "oidc_client_secret": "secret",
        "oidc_redirect_url": "https://pappus.example.org/oidc/callback",
        "oidc_default_role": "labeler",
    }  # its routes are described where there is one
    settings = LabelerSettings.model_validate({"session_secret": "a secret of at least thirty-two bytes", **provider})
    labeler = create_app(settings, MemoryEventLog(), lambda: nullcontext(MemoryObjectStore()), Health())
    predictions = Predictions(ModelHolder(), PredictionLog(limit=1), "replica", Turns(0.25, 1))
    predictor = build_app(predictions, Health(), 1000)
    described = [app.openapi()["paths"] for app in (labeler, predictor)]
    found = {route(f"{method} {path}") for paths in described for path, each in paths.items() for method in each}
    return frozenset(found | {f"GET {path}" for path in (*HEALTH_PATHS, "/", "/docs")})


def route(text: str) -> str:
    """Return a route without its query and the names of the parts of its path."""
    method, _, path = text.partition(" ")
    return f"{method.upper()} {re.sub(r'{[^}]*}', '{}', path.partition('?')[0])}"


@cache
def settings() -> frozenset[str]:
    """Return every variable PAPPUS_... that is read somewhere."""
    found = {PROFILE, SECRETS_FOLDER, *VARIABLES.values(), *(f"{name}_FILE" for name in VARIABLES.values())}
    found |= {PORT_PREFIX + name.upper().replace("-", "_") for name in DEFAULT_PORTS}
    for module in map(import_module, SETTINGS):
        for each in vars(module).values():
            if isinstance(each, type) and issubclass(each, BaseSettings):
                found |= set(_variables(each, each.model_config.get("env_prefix", "")))
    for file in FILES:
        found |= set(re.findall(r"PAPPUS_[A-Z_]*[A-Z]\b", (ROOT / file).read_text()))
    return frozenset(found)


def _variables(settings: type[BaseModel], prefix: str) -> list[str]:
    found = [prefix + name.upper() for name in settings.model_fields]
    for name, field in settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += _variables(field.annotation, f"{prefix}{name.upper()}_")
    return found


def benchmark_exists(name: str) -> bool:
    """Return whether `python -m bench.name` runs something."""
    return (ROOT / "bench" / f"{name}.py").is_file() or (ROOT / "bench" / name / "__main__.py").is_file()
