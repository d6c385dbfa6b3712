"""The commands a person types: what they say, and the exit code."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from pappus.demo.drawing import draw_tiles
from shared.testing import eventually

from .demo_run import LIVE_SECONDS, Told, other

DATA = draw_tiles(4)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture that is unknown before the first test here."""
    path = tmp_path / "found.png"
    path.write_bytes(DATA)
    return path


def document(ended: CompletedProcess[str]) -> dict[str, Any]:
    """Return what a command with --json gave."""
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def first_full(told: Told) -> str:
    """Return the version of a full model that served before."""
    models = document(told.pappus("history", "--limit", "1000", "--json"))["models"]
    return str(next(each["version"] for each in models if (each["lane"], each["state"]) == ("full", "former")))


async def test_predict_correct_history(told: Told, picture: Path) -> None:
    before = document(told.pappus("predict", str(picture), "--json"))
    [answer] = before["answers"]
    label, version = answer["label"], answer["model_version"]
    assert (answer["file"], before["failures"]) == (str(picture), [])
    assert 0.5 <= answer["probabilities"][label] <= 1
    assert version == (await told.answer(DATA)).model_version
    assert answer["corrections"] == []

    corrected = told.pappus("correct", str(picture), other(label), "--reason", "I was there")
    assert corrected.returncode == 0, corrected.stderr
    assert f": '{other(label)}' (revision 1, before: no label)." in corrected.stdout
    image_id = corrected.stdout.split()[0]
    await told.until_answered(DATA, other(label))

    shown = told.pappus("predict", str(picture)).stdout
    [after] = document(told.pappus("predict", str(picture), "--json"))["answers"]
    version_now = after["model_version"]
    assert (after["label"], version_now != version) == (other(label), True)
    assert after["corrections"][0]["image_id"] == image_id
    assert image_id in shown
    assert version_now in shown

    history = told.pappus("history", str(picture))
    assert history.returncode == 0, history.stderr
    assert image_id in history.stdout
    assert version_now in history.stdout
    [_, entry] = document(told.pappus("history", str(picture), "--json"))["labels"]
    assert (entry["revision"], entry["label_to"], entry["corrected_by"]) == (1, other(label), "labeler")
    assert (entry["state"], entry["live_in"]) == ("applied", version_now)


def test_history_names_every_model_with_its_verdict(told: Told) -> None:
    models = document(told.pappus("history", "--limit", "1000", "--json"))["models"]
    champion = next(each for each in models if each["state"] == "champion")
    assert champion["version"].startswith("fast-")
    assert champion["sequence"] > 1
    assert champion["summary"].startswith("Promoted: ")
    line = next(line for line in told.pappus("history").stdout.splitlines() if " full-" in f" {line}")
    accuracy = line.split()[3]
    assert float(accuracy) == pytest.approx(told.report["figures"]["test_accuracy"], abs=0.001)


async def test_a_person_of_their_own_name_corrects_and_may_not_roll_back(told: Told, picture: Path) -> None:
    assert told.pappus("users", "add", "anna").returncode == 0
    label = other((await told.answer(DATA)).label)

    def corrected() -> CompletedProcess[str] | None:
        ended = told.pappus("correct", str(picture), label, "--as", "anna", "--json")
        return ended if ended.returncode == 0 else None

    done = await eventually(corrected, LIVE_SECONDS)  # the labeler follows the file of people
    assert done is not None
    await told.until_answered(DATA, label)
    labels = document(told.pappus("history", str(picture), "--json"))["labels"]
    assert labels[-1]["corrected_by"] == "anna"
    refused = told.pappus("rollback", first_full(told), "--as", "anna")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("anna is a labeler, and this needs an operator.")
    assert told.pappus("correct", str(picture), "--withdraw").returncode == 0
    await told.until_answered(DATA, other(label))
    assert told.pappus("users", "remove", "anna").returncode == 0


async def test_a_rollback_freezes_until_it_is_lifted(told: Told) -> None:
    corrected = await told.answer(DATA)
    first = first_full(told)

    rolled = told.pappus("rollback", first, "--reason", "to see it")
    assert rolled.returncode == 0, rolled.stderr
    assert first in rolled.stdout
    assert "to see it" in rolled.stdout
    await told.until_answered(DATA, other(corrected.label))
    assert (await told.answer(DATA)).model_version == first
    again = told.pappus("rollback", first)
    assert (again.returncode, again.stderr.startswith(f"The gate rejected the request: {first} serves already.")) == (
        1,
        True,
    )

    lifted = told.pappus("unfreeze", "--reason", "seen")
    assert lifted.returncode == 0, lifted.stderr
    assert "lifted the freeze of promotions: seen" in lifted.stdout
    await told.until_answered(DATA, corrected.label)
    again = told.pappus("unfreeze")
    assert (again.returncode, again.stderr) == (1, "The gate rejected the request: Promotions are not frozen.\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict", "nowhere.jpg"], "Cannot read nowhere.jpg: No such file or directory."),
        (["predict", __file__], "answered 422"),
        (["correct", "0" * 64, "grass"], "No stored image has the bytes 000000000000"),
        (["history", "0" * 64], "No stored image has the bytes 000000000000"),
        (["rollback", "full-000000000000"], "answered 404: There is no model 'full-000000000000'."),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_clear_line(told: Told, arguments: Sequence[str], words: str) -> None:
    ended = told.pappus(*arguments)
    assert ended.returncode == 1
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_label_that_does_not_exist_is_refused(told: Told) -> None:
    digest = hashlib.sha256(DATA).hexdigest()
    ended = told.pappus("correct", digest, "dragon")
    assert ended.returncode == 1
    assert "dragon" in ended.stderr
    assert "grass" in ended.stderr
