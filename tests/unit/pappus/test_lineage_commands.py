"""The commands about where models come from and what people decided, with APIs that answer as a test wants."""

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
from shared.clients.lineage import DecisionsOf, HoldingDecision
from shared.testing import image_scored, prediction_logged
from shared.testing.events import NOON

from .api_answers import session
from .conftest import FakeApis

IMAGES = [UUID(int=number) for number in range(1, 4)]
Call = Callable[..., Result]


def decisions(held: list[UUID], limit: int = 10_000) -> dict[str, Any]:
    """Return what ben decided, of which `held` still hold."""
    values: dict[str, Any] = dict.fromkeys(DecisionsOf.model_fields, 0)
    decided = {"label": "grass", "no_label": None, "decided_at": NOON, "reason": "", "shown_label": "dandelion"}
    listed = [
        HoldingDecision.model_validate(
            {
                **decided,
                "image_id": each,
                "revision": 1,
                "decided_in": 1,
                "data_set_label": None,
                "label_without": "dandelion",
            }
        )
        for each in held[:limit]
    ]
    values |= {"name": "ben", "corrections": 3, "holding": len(held), "version": "fast-1", "held": listed, "voted": ()}
    return DecisionsOf.model_validate(values).model_dump(mode="json")


@pytest.fixture
def held(apis: FakeApis, state: StateFolder) -> list[UUID]:
    """What still holds of ben's decisions, in an API that takes out; an operator is logged in."""
    Credentials.load_or_create(state)
    left = list(IMAGES)

    def take(image_id: UUID) -> Callable[[bytes], dict[str, Any]]:
        def answer(body: bytes) -> dict[str, Any]:
            assert json.loads(body)["person"] == "ben"
            state_now = "taken_out" if image_id in left else "nothing"
            if image_id in left:
                left.remove(image_id)
            return {"image_id": str(image_id), "state": state_now, "label": "dandelion", "revision": 2}

        return answer

    apis.answers["POST /login"] = (200, lambda _: session() | {"role": "operator"})
    for limit in (0, 10_000):
        path = f"GET /decisions?by=ben&limit={limit}"
        apis.answers[path] = (200, lambda _, limit=limit: decisions(left, limit))
    for image_id in IMAGES:
        apis.answers[f"POST /images/{image_id}/take-out"] = (200, take(image_id))
    return left


@pytest.fixture
def call(apis: FakeApis, state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> Call:
    async def no_log(*_: object) -> None:
        return None

    monkeypatch.setattr(blame, "newest_answers", no_log)
    monkeypatch.setattr(screen.console, "width", 250)  # a table in a narrow terminal breaks its texts

    def invoke(*arguments: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(app, [*arguments, "--state", str(state.root)], input=typed)

    return invoke


def taken(apis: FakeApis) -> list[str]:
    return [line for line in apis.requests if line.endswith("/take-out")]


def test_blame_shows_what_holds_and_takes_nothing_out(apis: FakeApis, held: list[UUID], call: Call) -> None:
    shown = call("blame", "ben", "--limit", "1")
    assert shown.exit_code == 0, shown.output
    assert "ben set 3 labels and took 0 back; 3 images follow ben now." in shown.stdout
    assert "Shown: 1 of 3 decisions that hold, the newest. To see all: --limit 3" in shown.stdout
    dry = json.loads(call("blame", "ben", "--take-out", "--dry-run", "--json").stdout)
    assert (dry["would_take_out"], dry["push"], taken(apis)) == (3, None, [])


def test_all_of_it_is_taken_out_once_and_a_second_time_nothing(apis: FakeApis, held: list[UUID], call: Call) -> None:
    first = call("blame", "ben", "--take-out", "--yes", "--json", "--reason", "wrong on purpose")
    again = call("blame", "ben", "--take-out", "--yes")

    assert json.loads(first.stdout) == {"name": "ben", "taken_out": 3, "left": 0}
    assert again.stdout == "Nothing that ben decided holds: there is nothing to take out.\n"
    assert (len(taken(apis)), held) == (3, [])
    body = apis.bodies[apis.requests.index(taken(apis)[0])]
    assert json.loads(body)["reason"] == "wrong on purpose"


def test_a_run_that_was_ended_in_the_middle_goes_on(apis: FakeApis, held: list[UUID], call: Call) -> None:
    broken = f"POST /images/{IMAGES[2]}/take-out"
    works = apis.answers[broken]
    apis.answers[broken] = (500, {"detail": "broken"})
    assert call("blame", "ben", "--take-out", "--yes").exit_code == 1
    apis.answers[broken] = works

    assert call("blame", "ben", "--take-out", "--yes").exit_code == 0
    assert held == []


def test_a_race_is_looked_at_again_and_what_is_left_is_said(apis: FakeApis, held: list[UUID], call: Call) -> None:
    late = f"POST /images/{IMAGES[0]}/take-out"
    apis.answers[late] = (409, {"error": "superseded", "detail": "anna was first"})
    ended = call("blame", "ben", "--take-out", "--yes")
    assert (ended.exit_code, held) == (1, [IMAGES[0]])
    assert ended.stderr == "What ben decided still holds for 1 images. Run the command again.\n"
    assert taken(apis).count(late) == 2


def test_it_asks_first_and_a_no_takes_nothing_out(apis: FakeApis, held: list[UUID], call: Call) -> None:
    refused = call("blame", "ben", "--take-out", typed="n\n")
    assert (refused.exit_code, taken(apis)) == (1, [])
    assert "Take out what ben decided about 3 images?" in refused.output
    assert call("blame", "ben", "--take-out", typed="y\n").exit_code == 0
    assert len(taken(apis)) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--dry-run"], "give both"), (["--take-out", "--json"], "give --yes or --dry-run")],
)
def test_options_that_make_no_sense_are_refused(held: list[UUID], call: Call, options: list[str], said: str) -> None:
    ended = call("blame", "ben", *options)
    assert (ended.exit_code, said in ended.stderr) == (1, True)


async def test_the_push_is_the_share_of_answers_that_were_shaped(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [
        prediction_logged(corrections=(IMAGES[0], UUID(int=9)), correction_weights=(0.75, 0.5)),
        prediction_logged(corrections=(UUID(int=9), IMAGES[1]), correction_weights=(0.5, 0.25)),
        prediction_logged(corrections=(IMAGES[1],)),
        prediction_logged(),
    ]

    async def newest(_: object) -> list[Any]:
        return answers

    monkeypatch.setattr(blame, "newest_answers", newest)
    held = DecisionsOf.model_validate(decisions(IMAGES)).held
    push = await blame._push(None, held)  # type: ignore[arg-type]
    assert push == blame.Push(answers=4, shaped=3, weight=0.5)


def answering(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]) -> None:
    """Let the trainer's process give this answer."""

    async def ask(*_: object) -> dict[str, Any]:
        return answer

    monkeypatch.setattr(lineage, "ask", ask)


def report(**changes: Any) -> dict[str, Any]:
    return {"same": True, "sentence": "fast-1 is the same.", "findings": [], "base": None, "seconds": 1.0, **changes}


def test_reproduce_ends_with_one_and_says_what_differs(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, report(base="full-1"))
    same = call("reproduce", "fast-1")
    assert (same.exit_code, "fast-1 is the same." in same.stdout, "full-1" in same.stdout) == (0, True, True)
    found = {"what": "cpu", "sentence": "Another kind of CPU."}
    answering(monkeypatch, report(same=False, sentence="It came out differently.", findings=[found]))
    other = call("reproduce", "fast-1")
    assert (other.exit_code, other.stderr) == (1, "It came out differently.\n")
    assert "Another kind of CPU." in other.stdout
    assert json.loads(call("reproduce", "fast-1", "--json").stdout)["findings"] == [found]


def test_artefacts_are_counted_by_reason_and_those_that_go_are_named(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = [
        {"key": f"models/fast-{n}/a.onnx", "size_bytes": 1500, "put_at": "2026-05-01T10:20:30+00:00", "reason": "old"}
        for n in range(3)
    ]
    kept = [{"reason": "serves", "artefacts": 1, "size_bytes": 400_000}]
    answering(monkeypatch, {"kept": kept, "going": going, "size_bytes": 404_500})
    shown = call("artefacts", "--limit", "2").stdout
    assert "serves" in shown
    assert ("models/fast-1/a.onnx" in shown, "models/fast-2/a.onnx" in shown) == (True, False)
    assert "3 artefacts go next, 4.5 of 404.5 kB." in shown
    given = json.loads(call("artefacts", "--limit", "2", "--json").stdout)
    assert (len(given["going"]), given["going_bytes"], given["more"]) == (2, 4500, True)


def test_a_difference_is_counted_whole_and_shown_in_part(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    after = {"label": "grass", "side": "train", "revision": 1, "in_layer": True}
    added = [{"image_id": str(each), "before": None, "after": after} for each in IMAGES]
    sides = {"first": {"version": "full-1", "images": 1}, "second": {"version": "fast-1", "images": 4}}
    answering(monkeypatch, {**sides, "added": added, "removed": [], "relabelled": [], "moved": []})

    shown = call("dataset", "diff", "full-1", "fast-1", "--limit", "2")
    given = json.loads(call("dataset", "diff", "full-1", "fast-1", "--limit", "2", "--json").stdout)

    assert "full-1: 1 images; fast-1: 4; 3 added." in shown.stdout
    assert "grass (train, revision 1, in the correction layer)" in shown.stdout
    assert (given["counts"]["added"], len(given["added"]), given["more"]) == (3, 2, True)


def test_a_checkout_ends_with_one_if_images_are_lost(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done = {"version": "full-1", "folder": "f", "images": 3, "written": 2, "kept": 0, "lost": [str(IMAGES[0])]}
    answering(monkeypatch, done)
    ended = call("dataset", "checkout", "full-1", str(tmp_path / "f"))
    assert (ended.exit_code, str(IMAGES[0]) in ended.stderr) == (1, True)
    assert "2 of 3 images of full-1 are in f" in ended.stdout


def test_an_answer_about_a_stored_image_has_the_form_of_the_others() -> None:
    scored = image_scored(corrections=(IMAGES[0],), correction_weights=(0.5,))
    logged = answers_log.as_logged(scored)
    assert scored.answer is not None
    assert logged is not None
    assert (logged.prediction_id, logged.image_id) == (scored.answer.prediction_id, scored.image_id)
    assert (logged.label, logged.corrections, logged.correction_weights) == ("dandelion", (IMAGES[0],), (0.5,))
    assert answers_log.as_logged(image_scored(answer=None)) is None


async def test_other_installations_have_no_log_here() -> None:
    from pappus.installation.access import Installation

    elsewhere = Installation()
    assert await answers_log.find_answer(elsewhere, IMAGES[0]) is None
    assert await answers_log.newest_answers(elsewhere) is None
