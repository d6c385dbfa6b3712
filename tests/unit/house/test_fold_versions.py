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
    "ingestor": (2, "7952b47c477e100d"),
    "labeler": (4, "96c229ceb96b44ae"),
    "predictor": (2, "8e45d393ee03cbb1"),
    "trainer": (3, "5d7a1ba59dff2ad3"),
}
"""FOLD_VERSION, and the fingerprint of the code at that version."""


def fingerprint(service: str) -> str:
    """Return a hash of the service's projection, without comments and docstrings, and of the events it folds."""
    tree = ast.parse((ROOT / "services" / service / "data" / "projection.py").read_text())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [line for line in body if not _is_text(line)]  # type: ignore[attr-defined]
    plan = import_module(f"services.{service}.data.projection").replay_plan()
    events = {
        projector.event.topic: sorted(projector.event.model_json_schema().get("properties", {}))
        for projector in plan.projectors
    }
    return hashlib.sha256((ast.unparse(tree) + json.dumps(events, sort_keys=True)).encode()).hexdigest()[:16]


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
