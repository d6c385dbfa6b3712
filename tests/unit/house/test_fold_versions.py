"""What a service folds cannot change unnoticed: a change that gives other rows for events that are folded already needs
a new FOLD_VERSION, so that people are told to run `pappus replay`."""

import ast
import hashlib
import json
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PINNED = {
    "ingestor": (2, "455c40f3efda0a85"),
    "labeler": (7, "ea709371a9840734"),
    "predictor": (2, "6745327bebeffc24"),
    "trainer": (3, "237bb1c04a1b040b"),
}
"""FOLD_VERSION, and the fingerprint of the code at that version."""


def fingerprint(service: str) -> str:
    """Return a hash of the service's projection with what it imports from its folder, without comments and docstrings,
    and of the events it folds."""
    folder = ROOT / "services" / service / "data"
    tree = ast.parse((folder / "projection.py").read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    beside = [folder / f"{module.rpartition('.')[2]}.py" for module in sorted(imported) if _is_in(module, service)]
    code = [tree, *(ast.parse(path.read_text()) for path in beside)]
    for node in (node for each in code for node in ast.walk(each)):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [line for line in body if not _is_text(line)]  # type: ignore[attr-defined]
    plan = import_module(f"services.{service}.data.projection").replay_plan()
    events = {
        projector.event.topic: sorted(projector.event.model_json_schema().get("properties", {}))
        for projector in plan.projectors
    }
    text = "".join(map(ast.unparse, code)) + json.dumps(events, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _is_in(module: str, service: str) -> bool:
    return module.startswith(f"services.{service}.data.")


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@pytest.mark.parametrize("service", PINNED)
def test_what_is_folded_changes_with_a_decision_about_past_events(service: str) -> None:
    projection = import_module(f"services.{service}.data.projection")
    found = (projection.FOLD_VERSION, fingerprint(service))
    assert found == PINNED[service], (
        f"What {service} folds has changed. If events that are folded already would give other rows now, raise"
        f" FOLD_VERSION in services/{service}/data/projection.py (people then run pappus replay). Then write"
        f" ({projection.FOLD_VERSION}, {found[1]!r}) here."
    )
