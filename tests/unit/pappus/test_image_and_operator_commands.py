"""The commands for images and operators, with APIs that answer as a test wants."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from pappus.actions.operator import until_judged
from pappus.cli import app
from pappus.stack.folders import StateFolder
from pappus.terminal import screen
from pappus.terminal.progress import ProgressLine
from shared.clients.api import AsyncApi
from shared.testing.events import NOON

from .api_answers import history_entry, image, model, prediction
from .conftest import FakeApis

runner = CliRunner()
IMAGE = UUID("3f2c0f50-0000-4000-8000-000000000001")
EVENT = UUID("3f2c0f50-0000-4000-8000-000000000002")


def gate_answer(outcome: str, summary: str) -> dict[str, Any]:
    return {"outcome": outcome, "version": None, "sequence": None, "summary": summary}


@pytest.fixture
def call(apis: FakeApis, state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(screen.console, "width", 250)  # a table in a narrow terminal breaks its texts

    def invoke(*arguments: str) -> Result:
        return runner.invoke(app, [*arguments, "--state", str(state.root)])

    return invoke


def test_one_bad_file_keeps_no_other_answer_back_and_is_named(apis: FakeApis, call: Any, tmp_path: Path) -> None:
    good, broken = tmp_path / "good.jpg", tmp_path / "broken.jpg"
    good.touch()
    broken.touch()
    apis.answers["POST /predict"] = (200, prediction(IMAGE))
    ended = call("predict", "nowhere.jpg", str(good))
    assert ended.exit_code == 1
    assert "fast-1" in ended.stdout
    assert str(IMAGE) in ended.stdout
    assert ended.stderr == "Cannot read nowhere.jpg: No such file or directory.\n"
    apis.answers["POST /predict"] = (422, {"detail": "not an image"})
    ended = call("predict", str(good), str(broken))
    assert [line.split(":")[0] for line in ended.stderr.splitlines()] == [str(good), str(broken)]
    assert "not an image" in ended.stderr


def test_the_history_of_a_version_shows_rules_classes_and_images(apis: FakeApis, call: Any) -> None:
    shown = model("full-1a", "Rejected: it is worse.")
    shown["verdict"] = [
        {"rule": "reason", "outcome": "not_applicable", "sentence": "There is no champion.", "figures": {}}
    ]
    grass = {"label": "grass", "images": 4, "right": 3, "recall": 0.75, "low": 0.3, "high": 0.95}
    images = [str(UUID(int=number)) for number in range(3)]
    shown["evidence"] = {"lost": 3, "lost_images": images, "classes": [grass], "confusion": [[3]]}
    apis.answers["GET /models/full-1a"] = (200, shown)
    ended = call("history", "full-1a", "--limit", "2")
    assert ended.exit_code == 0, ended.stderr
    assert "There is no champion." in ended.stdout
    assert "75% (30-95%)" in ended.stdout
    assert f"Test images lost: 3: {images[0]}, {images[1]}, ..." in ended.stdout
    assert json.loads(call("history", "full-1a", "--json").stdout)["model"]["evidence"]["lost"] == 3


def test_a_model_that_waits_for_an_operator_says_so(apis: FakeApis, call: Any) -> None:
    apis.answers["GET /models?limit=51"] = (200, [{**model("full-1"), "waits_for_approval": True}])
    assert "waits" in call("history").stdout


def test_brackets_in_what_people_wrote_are_shown(apis: FakeApis, call: Any) -> None:
    summary = "operator froze promotions: see [/docs] :smile:"
    apis.answers["POST /models/freeze"] = (200, gate_answer("promoted", summary))
    apis.answers["GET /models?limit=51"] = (200, [model("full-1", summary)])
    frozen, history = call("freeze", "--reason", "see [/docs] :smile:"), call("history")
    assert (frozen.exit_code, frozen.stdout.strip()) == (0, summary)
    assert history.exit_code == 0
    assert summary in history.stdout


def test_brackets_in_a_refusal_are_shown(apis: FakeApis, call: Any) -> None:
    apis.answers["POST /models/freeze"] = (200, gate_answer("rejected", "no [/docs]"))
    ended = call("freeze")
    assert (ended.exit_code, ended.stderr) == (1, "The gate rejected the request: no [/docs]\n")


def test_history_shows_fifty_models_and_how_to_see_more(apis: FakeApis, call: Any) -> None:
    apis.answers["GET /models?limit=51"] = (200, [model(f"fast-{number}") for number in range(51)])
    shown = call("history").stdout
    assert ("fast-49" in shown, "fast-50" in shown) == (True, False)
    assert "Older models are left out. To see more: --limit 200" in shown
    apis.answers["GET /models?limit=51"] = (200, [model("fast-1")])
    assert "left out" not in call("history").stdout


def test_history_asks_for_a_thousand_models_and_says_if_there_may_be_more(apis: FakeApis, call: Any) -> None:
    apis.answers["GET /models?limit=1000"] = (200, [model(f"fast-{number}") for number in range(1000)])
    assert "Only the newest 1000 are shown." in call("history", "--limit", "1000").stdout
    apis.answers["GET /models?limit=1000"] = (200, [model("fast-1")])
    assert "Only the newest" not in call("history", "--limit", "1000").stdout


def test_history_before_the_first_model_says_what_it_needs(apis: FakeApis, call: Any) -> None:
    apis.answers["GET /models?limit=51"] = (200, [])
    apis.answers["GET /models/first"] = (200, {"waits_for": "It needs a test image of grass."})
    assert call("history").stdout == "No model yet. It needs a test image of grass.\n"


def test_a_correction_that_was_set_aside_is_called_so(apis: FakeApis, call: Any) -> None:
    entry = history_entry(set_aside="It breaks 3 others.")
    apis.answers[f"GET /images/{IMAGE}"] = (200, image(IMAGE))
    apis.answers[f"GET /images/{IMAGE}/history"] = (200, [entry])
    assert "set aside: It breaks 3 others." in call("history", str(IMAGE)).stdout


def test_an_argument_that_names_no_image_is_refused(call: Any) -> None:
    ended = call("history", "nowhere.jpg")
    assert (ended.exit_code, ended.stderr) == (1, "nowhere.jpg is neither an image id, a sha256 nor a file.\n")


def test_an_override_names_version_and_reason_and_does_not_go_without(apis: FakeApis, call: Any) -> None:
    apis.answers["POST /models/override"] = (200, gate_answer("promoted", "done"))
    assert call("override", "full-1").exit_code == 2
    assert call("override", "full-1", "--reason", "I know better").stdout == "done\n"
    assert json.loads(apis.bodies[-1]) == {"version": "full-1", "reason": "I know better"}


def test_what_is_not_answered_yet_says_where_to_look(apis: FakeApis, call: Any) -> None:
    apis.answers["POST /models/freeze"] = (202, {"event_id": str(EVENT)})
    apis.answers["POST /trainings"] = (202, {"event_id": str(EVENT)})
    assert f"{EVENT}. See the result: pappus history. If nothing new appears: pappus logs trainer-gate" in (
        call("freeze").stdout
    )
    assert "pappus logs trainer-full" in call("train").stdout


def full(version: str, state: str) -> dict[str, Any]:
    return model(version, "The verdict.") | {"lane": "full", "state": state}


def test_a_training_that_is_waited_for_ends_with_the_verdict(apis: FakeApis, call: Any) -> None:
    seen = [[full("full-1", "champion")]]
    seen += [seen[0], [full("full-2", "candidate"), *seen[0]], [full("full-2", "rejected"), *seen[0]]]
    apis.answers["POST /trainings"] = (202, {"event_id": str(EVENT)})
    apis.answers["GET /models?limit=1000"] = (200, lambda _: seen.pop(0))
    ended = call("train", "--wait", "30")
    assert (ended.exit_code, ended.stdout.splitlines()[-1], seen) == (0, "full-2: The verdict.", [])


def test_a_training_that_gives_no_new_model_in_time_says_where_to_look(apis: FakeApis, call: Any) -> None:
    apis.answers["POST /trainings"] = (202, {"event_id": str(EVENT)})
    apis.answers["GET /models?limit=1000"] = (200, [full("full-1", "champion")])
    ended = call("train", "--wait", "1", "--json")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert f"1 s after request {EVENT} there is no new full model" in ended.stderr
    assert "pappus logs trainer-full" in ended.stderr


async def test_a_wait_for_a_training_outlasts_a_silent_labeler() -> None:
    answers = [(503, {"detail": "PostgreSQL is away"}), (200, []), (200, [full("full-2", "champion")])]

    def reply(_: httpx2.Request) -> httpx2.Response:
        status, body = answers.pop(0)
        return httpx2.Response(status, json=body)

    async with AsyncApi("http://labeler", 0, httpx2.MockTransport(reply)) as operator:
        found = await until_judged(operator, {"full-1"}, 30, ProgressLine(Console()))
    assert found is not None
    assert (found.version, answers) == ("full-2", [])


def applied(label: str | None, **changes: Any) -> dict[str, Any]:
    return {
        "image_id": str(IMAGE),
        "label": label,
        "revision": 2,
        "event_id": str(EVENT),
        "state": "applied",
        **changes,
    }


def test_a_label_can_be_taken_back(apis: FakeApis, call: Any) -> None:
    apis.answers[f"GET /images/{IMAGE}"] = (200, image(IMAGE))
    apis.answers[f"POST /images/{IMAGE}/label"] = (200, applied("dandelion", no_label="withdrawn"))
    ended = call("correct", str(IMAGE), "--withdraw")
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert "'dandelion' (revision 2" in ended.stdout


def test_an_image_can_be_said_to_be_unusable(apis: FakeApis, call: Any) -> None:
    apis.answers[f"GET /images/{IMAGE}"] = (200, image(IMAGE))
    apis.answers[f"POST /images/{IMAGE}/label"] = (200, applied(None, no_label="unusable"))
    assert "no label (unusable)" in call("correct", str(IMAGE), "--no-label", "unusable").stdout


@pytest.mark.parametrize("arguments", [[], ["grass", "--withdraw"], ["--withdraw", "--no-label", "unsure"]])
def test_a_correction_says_one_thing(call: Any, arguments: list[str]) -> None:
    ended = call("correct", str(IMAGE), *arguments)
    assert (ended.exit_code, ended.stderr) == (
        1,
        "Say one thing about the image: a label, or --withdraw, or --no-label WHY.\n",
    )


def test_the_history_says_that_a_label_was_taken_back(apis: FakeApis, call: Any) -> None:
    apis.answers[f"GET /images/{IMAGE}"] = (200, image(IMAGE))
    apis.answers[f"GET /images/{IMAGE}/history"] = (200, [history_entry(label_to=None, no_label="withdrawn")])
    assert "- (withdrawn)" in call("history", str(IMAGE)).stdout


def test_the_history_keeps_why_a_model_was_first_promoted(apis: FakeApis, call: Any) -> None:
    values = {"verdict": [], "frozen": False, "requested_by": None, "promoted_at": NOON.isoformat(), "route": "first"}
    again = [values | {"sequence": n, "summary": f"Reason {n}."} for n in (1, 5)]
    apis.answers["GET /models?limit=51"] = (200, [model("full-1", "Reason 1.") | {"promotions": again}])
    shown = call("history").stdout
    assert (shown.count("Reason 1."), "5: Reason 5." in shown) == (1, True)
