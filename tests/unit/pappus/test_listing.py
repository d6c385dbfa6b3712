"""Lists in a terminal of 80 columns, and where no terminal is: nothing is cut."""

import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest

from pappus.actions.dlq import counts_table
from pappus.actions.drift import drifts_table
from pappus.actions.replay import replays_table
from pappus.actions.trace import trace_table
from pappus.actions.views import answers_table, labels_table, models_table
from pappus.stack.doctor import Check
from pappus.stack.status import ComponentState, ComponentStatus, StackStatus
from pappus.terminal.listing import Column, Listing, left_out
from pappus.terminal.screen import UNFOLDED, LiteralConsole
from pappus.terminal.status import checks_table, status_table
from pappus.traces.graph import Span, Trace
from shared.clients.answers import DriftView, HistoryEntry, ImageView, ModelView, Prediction
from shared.messaging.redriving import Row

from .api_answers import drift, history_entry, image, model, prediction

WIDTH = 80
IMAGE = UUID("3f2c0f50-0000-4000-8000-000000000001")
VERSION = "full-0123456789abcdef"
WORDS = "It answers better than the champion on the locked test images, by more than the margin. " * 3 + "So it serves."
FILE = "/home/anna/pictures/of/the/meadow/behind/the/house/in/the/spring/of/the/year/before/last/dandelion-0001.jpg"
ADDRESS = "postgresql://seeder@database.of-a-long-name.example.org:25432/pappus?sslmode=verify-full"
LETTER = "prediction.logged.dlq/11/1234567890"


def statuses() -> Listing:
    components = [
        ComponentStatus(
            name=name, group="g", state=ComponentState.BACKOFF, detail=WORDS, address=ADDRESS, restarts=3, since=1.0
        )
        for name in ("trainer-recorder", "predictor-api-0")
    ]
    return status_table(StackStatus(state="s", credentials="c", users="u", components=components))


def answers() -> Listing:
    answer = Prediction.model_validate(prediction(IMAGE) | {"model_version": VERSION})
    return answers_table([(Path(FILE), answer), (Path("b.jpg"), answer)])


def models() -> Listing:
    return models_table([ModelView.model_validate(model(VERSION, WORDS))])


def labels() -> Listing:
    values = {"label_from": "dandelion", "label_to": "x" * 200, "corrected_by": "n" * 100, "set_aside": WORDS}
    entry = HistoryEntry.model_validate(history_entry(live_in=VERSION, **values))
    return labels_table(ImageView.model_validate(image(IMAGE)), [entry])


def dead_letters() -> Listing:
    row = Row("prediction.logged", "trainer-full-trigger", 1234, 12, LETTER, "2026-05-04 12:00:00", WORDS)
    return counts_table([row])


def traces() -> Listing:
    span = Span("a" * 32, "1", None, (), "trainer-recorder-0123456789ab", f"process {WORDS}", 0, 9, {})
    return trace_table(Trace("a" * 32, (span,)))


def replays() -> Listing:
    report = {"records": 10**9, "skipped": 0, "seconds": 1.0, "swapped": True, "explained": WORDS}
    return replays_table({"predictor": {**report, "differing": ["predictions"], "compared": []}})


def drifts() -> Listing:
    figures = {"confidence": 0.71, "expected_confidence": 0.93, "share_dandelion": 0.9, "expected_share_dandelion": 0.5}
    return drifts_table([DriftView.model_validate(drift(model_version=VERSION, figures=figures))])


def checks() -> Listing:
    return checks_table([Check("package onnxruntime", False, FILE, WORDS), Check("Java", True, FILE)])


LISTINGS: dict[Callable[[], Listing], tuple[str, ...]] = {
    statuses: ("trainer-recorder", "predictor-api-0", ADDRESS, WORDS),
    answers: (FILE, VERSION, str(IMAGE)),
    models: (VERSION, WORDS),
    labels: (str(IMAGE), VERSION, "x" * 200, "n" * 100, WORDS),
    dead_letters: ("prediction.logged", "trainer-full-trigger", LETTER, WORDS),
    traces: ("a" * 32, "trainer-recorder-0123456789ab", WORDS),
    replays: ("predictor", "predictions", WORDS),
    checks: ("package onnxruntime", FILE, WORDS),
    drifts: (VERSION, "features", "66.40", "confidence 0.71 (0.93), share dandelion 0.90 (0.50)"),
}
"""Each list of the commands, with values longer than people like, and what has to be in it."""


def drawn(listing: Listing, width: int = WIDTH) -> list[str]:
    out = StringIO()
    LiteralConsole(file=out, width=width, markup=False, emoji=False).print(listing)
    return out.getvalue().splitlines()


def letters(text: str) -> str:
    return "".join(text.split())


def columns_of(lines: list[str]) -> list[str]:
    """Return the text of each column, its folded lines joined: columns are where a gap goes through all lines."""
    width = max(map(len, lines))
    gaps = {at for at in range(width) if all(line[at : at + 1] in ("", " ") for line in lines)}
    starts = [at for at in range(width) if at not in gaps and (at == 0 or {at - 1, at - 2} <= gaps | {-1})]
    ends = [*starts[1:], width]
    return [letters("".join(line[start:end] for line in lines)) for start, end in zip(starts, ends, strict=True)]


@pytest.mark.parametrize("make", LISTINGS, ids=lambda make: make.__name__)
def test_a_narrow_terminal_shows_every_value_whole(make: Callable[[], Listing]) -> None:
    lines = drawn(make())
    assert max(map(len, lines)) <= WIDTH
    joined = [letters("".join(lines)), *columns_of(lines), *columns_of(lines[1:])]  # a title goes through the gaps
    for value in LISTINGS[make]:
        assert any(letters(value) in text for text in joined), (value, "\n".join(lines))
    assert "…" not in "".join(lines)


@pytest.mark.parametrize("make", LISTINGS, ids=lambda make: make.__name__)
def test_without_a_terminal_no_value_is_folded(make: Callable[[], Listing]) -> None:
    text = "\n".join(drawn(make(), UNFOLDED))
    assert [value for value in LISTINGS[make] if value not in text] == []


@pytest.mark.parametrize("width", [24, 40, 60, 80, 120])
def test_what_the_next_command_needs_is_never_broken_if_a_line_can_hold_it(width: int) -> None:
    listing = Listing(Column("id", whole=True), "why", Column("model", whole=True))
    listing.add("i" * 24, WORDS, "m" * 21)
    listing.add("i" * 20, "short", "m" * 10)
    lines = drawn(listing, width)
    for value in ("i" * 24, "m" * 21, "i" * 20, "m" * 10):
        assert any(value in line for line in lines), "\n".join(lines)


def test_a_column_without_anything_in_it_may_be_left_out() -> None:
    listing = Listing("name", Column("remark", if_any=True))
    listing.add("a", "")
    assert drawn(listing)[0].split() == ["name"]
    listing.add("b", "late")
    assert drawn(listing)[0].split() == ["name", "remark"]


def test_what_is_left_out_is_counted_and_how_to_see_it_is_said() -> None:
    assert left_out(3, 5, "keys") == ""
    assert left_out(12, 5, "keys") == "Shown: 5 of 12 keys. To see all: --limit 12"


def test_the_console_folds_for_people_and_not_for_programs() -> None:
    ask = "from pappus.terminal.screen import console; print(console.width)"

    def width(**environment: str) -> int:
        ended = subprocess.run([sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=True)
        return int(ended.stdout)

    assert width() == UNFOLDED
    assert width(COLUMNS="80") == 80
