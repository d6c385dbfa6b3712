"""What commands show of a class that has another name now, with APIs that answer with its label."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner, Result

from pappus.actions import answers_log, blame, lineage
from pappus.cli import app
from pappus.stack.credentials import Credentials
from pappus.stack.folders import StateFolder
from pappus.terminal import screen
from shared.clients.lineage import DecisionsOf, ImageStory, ModelStory
from shared.contract.label_set import quoted
from shared.testing import prediction_logged
from shared.testing.events import NOON

from .api_answers import drift, history_entry, image, model, prediction
from .conftest import FakeApis

IMAGE, ANSWER = UUID(int=7), UUID(int=8)
NOW = "meadow"
SENTENCE = f"3 of 4 test images of {quoted('grass')} are right, and so is the word grassy."
Call = Callable[..., Result]


def judged() -> dict[str, Any]:
    """Return a model whose verdict speaks of grass wherever one can."""
    rules = [
        {"rule": "recall_grass", "outcome": "failed", "sentence": SENTENCE, "figures": {"recall": 0.75}},
        {"rule": "every_class_is_tested", "outcome": "passed", "sentence": "All are.", "figures": {"grass": 4.0}},
    ]
    figures = {"label": "grass", "images": 4, "right": 3, "recall": 0.75, "low": 0.3, "high": 0.95}
    evidence = {"classes": [figures], "confusion": [[3]]}
    return {**model("full-1", f"Rejected: {SENTENCE}"), "verdict": rules, "evidence": evidence}


def story() -> dict[str, Any]:
    """Return what led to that model."""
    told = {"image_id": str(IMAGE), "revision": 1, "label": "grass", "corrected_by": "ben", "is_new": True}
    told |= {"corrected_at": NOON.isoformat(), "reason": "", "event_id": str(UUID(int=9))}
    led = {"causes": [], "caused_by": [told], "learned": [told], "new_corrections": 1, "parameters": {}, "served": []}
    return ModelStory.model_validate(judged() | led).model_dump(mode="json")


def decisions() -> dict[str, Any]:
    held = {"image_id": IMAGE, "revision": 1, "decided_in": 1, "label": "grass", "no_label": None, "reason": ""}
    held |= {"decided_at": NOON, "shown_label": "grass", "data_set_label": "grass", "label_without": "grass"}
    values: dict[str, Any] = dict.fromkeys(DecisionsOf.model_fields, 0)
    values |= {"name": "ben", "corrections": 1, "holding": 1, "version": "fast-1", "held": [held], "voted": ()}
    return DecisionsOf.model_validate(values).model_dump(mode="json")


@pytest.fixture
def call(apis: FakeApis, state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Commands on a stack where grass is called meadow now."""

    async def answers(*_: object) -> list[Any]:
        return [prediction_logged(label="grass", probabilities={"grass": 0.9, "dandelion": 0.1}, sha256="0" * 64)]

    async def answer(*_: object) -> Any:
        return (await answers())[0]

    async def none(*_: object) -> list[Any]:
        return []

    async def ask(*question: object) -> dict[str, Any]:
        if "seen" in question:
            seen = {"version": "full-1", "side": "test", "label": "grass", "revision": 1}
            return {"models": [seen], "unread": [], "older": False}
        entry = {"label": "grass", "side": "train", "revision": 1, "in_layer": False}
        change = {"image_id": str(IMAGE), "before": None, "after": entry}
        sides = {"first": {"images": 1}, "second": {"images": 2}, "names": {"grass": NOW}}
        return {**sides, "added": [change], "removed": [], "relabelled": [], "moved": []}

    async def no_push(*_: object) -> None:
        return None

    monkeypatch.setattr(answers_log, "answers_about", answers)
    monkeypatch.setattr(answers_log, "find_answer", answer)
    monkeypatch.setattr(answers_log, "training_requests", none)
    monkeypatch.setattr(blame, "newest_answers", no_push)
    monkeypatch.setattr(lineage, "ask", ask)
    monkeypatch.setattr(screen.console, "width", 300)
    Credentials.load_or_create(state)
    shown = image(IMAGE) | {"label": "grass"}
    labelled = history_entry(label_from="grass", label_to="grass", shown_label="grass", set_aside=SENTENCE)
    alone = ImageStory(image_id=IMAGE, side="train", duplicates=[], near_duplicates=[], models=[], holding=0)
    drifted = drift(figures={"share_grass": 0.4, "expected_share_grass": 0.3})
    gate = {"outcome": "promoted", "version": "full-1", "sequence": 2, "summary": SENTENCE}
    changed = {"image_id": str(IMAGE), "label": "grass", "revision": 1, "event_id": str(IMAGE), "state": "applied"}
    apis.answers |= {
        "GET /labels": (200, {"labels": ["grass"], "model_name": "plants", "names": {"grass": NOW}}),
        "POST /predict": (200, prediction(IMAGE) | {"name": NOW}),
        f"GET /images/{IMAGE}": (200, shown),
        f"GET /images/{ANSWER}": (404, {"error": "image_unknown", "detail": "There is none."}),
        f"GET /images?sha256={'0' * 64}": (200, [shown]),
        f"GET /images/{IMAGE}/history": (200, [labelled]),
        f"GET /images/{IMAGE}/story?limit=50": (200, alone.model_dump(mode="json")),
        f"POST /images/{IMAGE}/label": (200, changed),
        "GET /models/full-1": (200, judged()),
        "GET /models/full-1/story?limit=50": (200, story()),
        "GET /models?limit=51": (200, [judged()]),
        "GET /drifts?limit=51": (200, [drifted]),
        "GET /models/champion": (200, judged() | {"frozen": False, "requested_by": None}),
        "GET /decisions?by=ben&limit=10000": (200, decisions()),
        "POST /models/freeze": (200, gate),
    }

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--state", str(state.root)])

    return invoke


COMMANDS = [
    ("predict", "PHOTO"),
    ("correct", str(IMAGE), NOW),
    ("history", str(IMAGE)),
    ("history", "full-1"),
    ("history",),
    ("why", str(IMAGE)),
    ("why", str(ANSWER)),
    ("why", "full-1"),
    ("drift",),
    ("blame", "ben"),
    ("freeze", "--reason", "x"),
    ("dataset", "diff", "full-0", "full-1"),
]


@pytest.mark.parametrize("typed", COMMANDS, ids=" ".join)
def test_people_read_the_name_of_now(call: Call, tmp_path: Path, typed: tuple[str, ...]) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"bytes")
    ended = call(*(str(photo) if word == "PHOTO" else word for word in typed))
    assert ended.exit_code == 0, ended.output
    assert NOW in ended.stdout
    assert "grass" not in ended.stdout.replace("grassy", "")


def test_programs_get_the_label_that_stays(call: Call) -> None:
    given = json.loads(call("history", "full-1", "--json").stdout)
    assert given["model"]["evidence"]["classes"][0]["label"] == "grass"
    assert given["model"]["summary"] == f"Rejected: {SENTENCE}"
