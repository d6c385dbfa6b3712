"""The smoke test against APIs that behave as a small installation, well or badly."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from pappus.cli import app
from pappus.demo import smoke
from shared.testing.events import NOON

from .api_answers import champion, history_entry, image, prediction
from .conftest import FakeApis

IMAGE = uuid4()
BEFORE, AFTER = "dandelion", "grass"
FREEZE = {"sequence": 2, "route": "rollback", "verdict": [], "frozen": True, "promoted_at": NOON.isoformat()}
EVERY_STEP = [
    "model in service",
    "upload",
    "predict",
    "correct",
    "the other answer",
    "rollback",
    "taken back",
    "The installation works",
]


@dataclass
class Installed:
    """What the fake installation knows. `set_aside`: why the gate takes no correction; `follows`: whether the model
    answers as corrected; `frozen_by`: why promotions are frozen."""

    asked: list[str] = field(default_factory=list)
    revision: int = 0
    corrected: bool = False
    rolled_back: bool = False
    frozen_by: str = ""
    set_aside: str | None = None
    follows: bool = True

    def predict(self, _: bytes) -> dict[str, Any]:
        live = self.corrected and self.follows and not self.rolled_back
        label, version = (AFTER, "fast-2") if live else (BEFORE, "fast-1")
        return prediction(IMAGE) | {"label": label, "model_version": version}

    def serving(self, body: bytes) -> dict[str, Any]:
        values = {"version": self.predict(body)["model_version"], "sequence": 1, "labels": [], "artefact_sha256": ""}
        return values | {"loaded_at": NOON.isoformat(), "replica": "0"}

    def champion(self, _: bytes) -> dict[str, Any]:
        freeze = FREEZE | {"summary": self.frozen_by, "requested_by": "operator"} if self.frozen_by else None
        return champion(frozen=bool(self.frozen_by)) | {"freeze": freeze}

    def label(self, body: bytes) -> dict[str, Any]:
        said = json.loads(body)
        self.asked.append(said["no_label"] or said["label"])
        self.revision, self.corrected = self.revision + 1, said["label"] is not None
        values = {"image_id": str(IMAGE), "label": said["label"], "revision": self.revision}
        return values | {"event_id": str(IMAGE), "no_label": said["no_label"]}

    def gate(self, action: str) -> Callable[[bytes], dict[str, Any]]:
        def answer(body: bytes) -> dict[str, Any]:
            said = json.loads(body)
            self.asked.append(" ".join(filter(None, [action, said.get("version")])))
            self.rolled_back = action == "rollback"
            self.frozen_by = f"operator: {said['reason']}" if self.rolled_back else ""
            return {"outcome": "promoted", "version": None, "sequence": None, "summary": ""}

        return answer


@pytest.fixture
def installed(apis: FakeApis) -> Installed:
    """The fake APIs, made to behave so."""
    installed = Installed()
    uploaded = {"image_id": str(IMAGE), "state": "stored", "sha256": "0" * 64, "label": None, "revision": 0}
    entry = history_entry(event_id=IMAGE)
    apis.answers |= {
        "POST /images": (201, uploaded),
        f"GET /images/{IMAGE}": (200, lambda _: image(IMAGE) | {"revision": installed.revision}),
        f"GET /images/{IMAGE}/history": (
            200,
            lambda _: [entry | ({"set_aside": why} if (why := installed.set_aside) else {"live_in": "fast-2"})],
        ),
        f"POST /images/{IMAGE}/label": (200, installed.label),
        "POST /predict": (200, installed.predict),
        "GET /model": (200, installed.serving),
        "GET /models/champion": (200, installed.champion),
        "POST /models/rollback": (200, installed.gate("rollback")),
        "POST /models/unfreeze": (200, installed.gate("unfreeze")),
    }
    return installed


@pytest.fixture
def call(apis: FakeApis, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setattr(smoke, "STEP_SECONDS", 0.3)
    monkeypatch.setattr(smoke, "ROLLBACK_SECONDS", 0.3)
    known = {"PAPPUS_PREDICTOR_URL": apis.url, "PAPPUS_LABELER_URL": apis.url, "PAPPUS_STATE": None}
    passwords = {"PAPPUS_LABELER_PASSWORD": "secret", "PAPPUS_OPERATOR_PASSWORD": "secret"}

    def invoke(*arguments: str, **changes: str | None) -> Result:
        return CliRunner(env=known | passwords | changes).invoke(app, ["smoke", *arguments])

    return invoke


def test_each_step_is_a_line_and_all_is_taken_back(installed: Installed, call: Callable[..., Result]) -> None:
    ended = call()
    assert (ended.exit_code, ended.stderr) == (0, "")
    steps = [line for line in ended.stdout.splitlines() if not line.startswith(" ")]  # else: what takes long goes on
    assert [line.split(":")[0] for line in steps] == EVERY_STEP
    assert installed.asked == [AFTER, "rollback fast-1", "unusable", "unfreeze"]


def test_a_given_image_is_withdrawn(installed: Installed, call: Callable[..., Result], tmp_path: Any) -> None:
    (tmp_path / "mine.jpg").touch()
    assert call("--image", str(tmp_path / "mine.jpg")).exit_code == 0
    assert "withdrawn" in installed.asked


def test_without_an_operator_there_is_no_rollback(installed: Installed, call: Callable[..., Result]) -> None:
    ended = call(PAPPUS_OPERATOR_PASSWORD=None)
    assert ended.exit_code == 0
    assert "left out, for it needs an operator: give PAPPUS_OPERATOR_PASSWORD" in ended.stdout
    assert installed.asked == [AFTER, "unusable"]


def test_without_a_model_it_says_what_the_first_waits_for(
    apis: FakeApis, installed: Installed, call: Callable[..., Result]
) -> None:
    del apis.answers["GET /models/champion"]
    apis.answers["GET /models/first"] = (200, {"waits_for": "It needs a test image of grass."})
    ended = call()
    expected = "No model is in service yet, so there is nothing to test. It needs a test image of grass.\n"
    assert (ended.exit_code, ended.stderr) == (1, expected)
    assert not any("images" in request for request in apis.requests)


def test_a_freeze_of_an_operator_is_left_alone(installed: Installed, call: Callable[..., Result]) -> None:
    installed.frozen_by = "berta froze promotions: look into it"
    ended = call()
    assert ended.exit_code == 1
    assert "Promotions are frozen (berta froze promotions: look into it)" in ended.stderr
    assert installed.asked == []


def test_a_correction_that_changes_no_answer_is_taken_back(installed: Installed, call: Callable[..., Result]) -> None:
    installed.follows = False
    ended = call()
    assert ended.exit_code == 1
    assert "still answers 'dandelion' with fast-1" in ended.stderr
    assert "See: the logs of trainer-fast" in ended.stderr
    assert installed.asked == [AFTER, "unusable"]


def test_after_three_corrections_that_are_set_aside_it_gives_up(
    installed: Installed, call: Callable[..., Result]
) -> None:
    installed.set_aside = "It breaks 3 others."
    ended = call()
    assert (ended.exit_code, ended.stderr) == (1, "The correction was set aside: It breaks 3 others.\n")
    assert installed.asked == [AFTER, "unusable"] * 3


def test_a_rollback_that_is_rejected_says_why(
    apis: FakeApis, installed: Installed, call: Callable[..., Result]
) -> None:
    rejected = {"outcome": "rejected", "version": None, "sequence": None, "summary": "It does not load."}
    apis.answers["POST /models/rollback"] = (200, rejected)
    ended = call()
    assert (ended.exit_code, ended.stderr) == (1, "The gate rejected the rollback: It does not load.\n")
    assert installed.asked == [AFTER, "unusable"]


def test_what_cannot_be_taken_back_is_named_with_the_command(
    apis: FakeApis, installed: Installed, call: Callable[..., Result]
) -> None:
    def first_only(body: bytes) -> dict[str, Any]:
        apis.answers[f"POST /images/{IMAGE}/label"] = (422, {"detail": "No more corrections."})
        return installed.label(body)

    apis.answers[f"POST /images/{IMAGE}/label"] = (200, first_only)
    ended = call()
    assert ended.exit_code == 1
    assert "The correction could not be taken back" in ended.stderr
    assert f"No more corrections.): pappus correct {IMAGE} --withdraw" in ended.stderr
    assert installed.asked == [AFTER, "rollback fast-1", "unfreeze"]
