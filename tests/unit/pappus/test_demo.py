"""The demo where it cannot go on: what it says, and what it leaves alone."""

import asyncio
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from rich.console import Console
from typer.testing import CliRunner

from pappus.cli import app
from pappus.demo.images import ImageSource
from pappus.demo.intake import Intake
from pappus.demo.predictions import Answer, unless_set_aside, until_live_or_aside
from pappus.demo.report import Report
from pappus.demo.scenario import DemoScenario, _correct_one
from pappus.demo.view import View
from pappus.errors import Refused
from pappus.plants import PlantRow, PlantsTable
from pappus.stack import Stack
from pappus.stack.folders import StateFolder
from pappus.stack_client import RunningStack
from shared.clients.api import AsyncApi

from .api_answers import champion, history_entry, model
from .conftest import FakeApis

runner = CliRunner(env={"COLUMNS": "250"})
ROWS = (PlantRow("http://h/1.jpg", "grass"), PlantRow("http://h/2.jpg", "grass"))


def test_a_report_without_a_folder_is_refused_before_anything_starts(tmp_path: Path) -> None:
    state = tmp_path / "state"
    ended = runner.invoke(app, ["demo", "--state", str(state), "--report", str(tmp_path / "nowhere" / "x.json")])
    assert ended.exit_code == 1
    assert "nowhere/x.json" in ended.stderr
    assert not state.exists()


def test_ctrl_c_while_the_stack_starts_says_that_it_goes_on(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Stack, "up", interrupted)
    ended = runner.invoke(app, ["demo", "--state", str(state.root)])
    assert ended.exit_code == 130
    assert "The stack is still starting in the background" in ended.stderr


async def test_a_correction_under_a_freeze_names_the_freeze(apis: FakeApis) -> None:
    image_id, event_id = uuid4(), uuid4()
    apis.answers[f"GET /images/{image_id}/history"] = (200, [])
    apis.answers["GET /models/champion"] = (200, champion(frozen=True))
    async with AsyncApi(apis.url) as person:
        with pytest.raises(Refused, match=r"Promotions are frozen, .*: pappus unfreeze"):
            await until_live_or_aside(person, image_id, event_id, -1, "See: there")
        apis.answers["GET /models/champion"] = (200, champion(frozen=False))
        apis.answers["GET /models?limit=1"] = (200, [])
        with pytest.raises(Refused, match=r"is in no model .* There is no model yet. See: there"):
            await until_live_or_aside(person, image_id, event_id, -1, "See: there")
        apis.answers["GET /models?limit=1"] = (200, [model("fast-1", "Rejected: too slow.")])
        with pytest.raises(Refused, match=r"newest model is fast-1 \(former\): Rejected: too slow. See: there"):
            await until_live_or_aside(person, image_id, event_id, -1, "See: there")


async def test_a_correction_that_the_gate_sets_aside_is_not_waited_for(apis: FakeApis) -> None:
    image_id, event_id = uuid4(), uuid4()
    apis.answers[f"GET /images/{image_id}/history"] = (
        200,
        [history_entry(event_id=event_id, set_aside="It broke others.")],
    )
    async with AsyncApi(apis.url) as person:
        without_end = asyncio.Event()

        async def until_all_answer() -> None:
            await without_end.wait()

        async def at_once() -> None:
            """Every replica answers as corrected."""

        assert await unless_set_aside(person, image_id, event_id, until_all_answer) == "It broke others."
        assert await unless_set_aside(person, image_id, event_id, at_once) is None


async def test_a_correction_of_an_image_that_is_not_stored_is_refused(apis: FakeApis, state: StateFolder) -> None:
    apis.answers["GET /images?sha256=abc"] = (200, [])
    answer = Answer(ROWS[0], "abc", "grass", "dandelion", 0.9, "fast-1", uuid4(), 1.0)
    async with AsyncApi(apis.url) as person:
        with pytest.raises(Refused, match=r"http://h/1\.jpg is not known to the labeler"):
            await _correct_one(person, answer, "dandelion", RunningStack.find(state))


async def take_in_with(monkeypatch: pytest.MonkeyPatch, state: StateFolder, *stored: PlantRow) -> DemoScenario:
    """Return a story whose images came in, `stored` of them well."""
    rejected = {row.url_source: "truncated: half of it" for row in ROWS if row not in stored}

    async def ingest_and_wait(*_: Any) -> Intake:
        return Intake(len(ROWS), stored, rejected)

    async def count_labelled(_: PlantsTable) -> int:
        return len(stored)

    monkeypatch.setattr("pappus.demo.scenario.ingest_and_wait", ingest_and_wait)
    monkeypatch.setattr(PlantsTable, "count_labelled", count_labelled)
    report = Report()
    view = View(Console(file=StringIO()), report)
    story = DemoScenario(RunningStack.find(state), ImageSource("", ROWS, {}), report, view)
    await story._ingest()
    return story


async def test_the_story_goes_on_with_the_images_that_are_stored(
    apis: FakeApis, state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = await take_in_with(monkeypatch, state, ROWS[1])
    assert story._rows == (ROWS[1],)


async def test_without_one_stored_image_there_is_no_story(
    apis: FakeApis, state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Refused, match="None of these images is stored"):
        await take_in_with(monkeypatch, state)


@pytest.mark.parametrize(("stored", "code"), [(ROWS[:1], 0), ((), 1)])
def test_seed_fails_only_if_no_image_was_stored(
    apis: FakeApis, state: StateFolder, monkeypatch: pytest.MonkeyPatch, stored: tuple[PlantRow, ...], code: int
) -> None:
    async def ingest_and_wait(*_: Any) -> Intake:
        return Intake(2, stored, {ROWS[1].url_source: "http_error: [/x] gone"})

    async def choose_source(*_: Any) -> ImageSource:
        return ImageSource("two images", ROWS, {})

    async def count_labelled(_: PlantsTable) -> int:
        return len(stored)

    monkeypatch.setattr(PlantsTable, "count_labelled", count_labelled)
    monkeypatch.setattr("pappus.actions.seed.ingest_and_wait", ingest_and_wait)
    monkeypatch.setattr("pappus.actions.seed.choose_source", choose_source)
    ended = runner.invoke(app, ["seed", "--state", str(state.root)])
    assert ended.exit_code == code
    assert f"2 new rows; {len(stored)} of 2 images stored." in ended.stdout
    assert "rejected: http://h/2.jpg: http_error: [/x] gone" in ended.stdout


def test_the_report_shows_brackets_on_any_console() -> None:
    report, out = Report(), StringIO()
    console = Console(file=out, width=200)
    with View(console, report).stage("images in") as stage:
        stage.summary = "see [/docs]"
    console.print(report.as_table())
    assert out.getvalue().count("see [/docs]") == 2
