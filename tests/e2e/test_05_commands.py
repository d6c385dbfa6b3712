"""The commands a person types: what they say, and the exit code."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from pappus.demo.drawing import draw_tiles

from .demo_run import Told, other

DATA = draw_tiles(4)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture that is unknown before the first test here."""
    path = tmp_path / "found.png"
    path.write_bytes(DATA)
    return path


def cells(line: str) -> list[str]:
    """Return the cells of one row of a table."""
    return [cell.strip() for cell in line.strip().strip("│").split("│")]


def row_with(output: str, *texts: str) -> list[str]:
    """Return the first row of the table in which all of `texts` stand."""
    return next(cells(line) for line in output.splitlines() if all(text in line for text in texts))


async def test_predict_correct_history(told: Told, picture: Path) -> None:
    before = told.pappus("predict", str(picture))
    assert before.returncode == 0, before.stderr
    name, label, probability, version, _, behind = row_with(before.stdout, "found.png")
    assert Path(name) == picture
    assert 0.5 <= float(probability) <= 1
    assert version == (await told.answer(DATA)).model_version
    assert behind == "-"

    corrected = told.pappus("correct", str(picture), other(label), "--reason", "I was there")
    assert corrected.returncode == 0, corrected.stderr
    assert f": '{other(label)}' (revision 1, before: None)." in corrected.stdout
    image_id = corrected.stdout.split()[0]
    await told.until_answered(DATA, other(label))

    after = told.pappus("predict", str(picture))
    _, label_now, _, version_now, _, behind = row_with(after.stdout, "found.png")
    assert (label_now, version_now != version) == (other(label), True)
    assert behind.startswith(image_id[:8])

    history = told.pappus("history", str(picture))
    assert history.returncode == 0, history.stderr
    assert image_id in history.stdout
    revision, _, label_to, by, _, state, live_in = row_with(history.stdout, "applied │ fast-")
    assert (revision, label_to, by, state, live_in) == ("1", other(label), "labeler", "applied", version_now)


def test_history_names_every_model_with_its_verdict(told: Told) -> None:
    ended = told.pappus("history")
    assert ended.returncode == 0, ended.stderr
    version, _, sequence, _, verdict = row_with(ended.stdout, "champion ")
    assert version.startswith("fast-")
    assert int(sequence) > 1
    assert verdict.startswith("Promoted: ")
    accuracy = row_with(ended.stdout, " full-", "former")[3]
    assert float(accuracy) == pytest.approx(told.report["figures"]["test_accuracy"], abs=0.001)


async def test_a_rollback_freezes_until_it_is_lifted(told: Told) -> None:
    corrected = await told.answer(DATA)
    first = row_with(told.pappus("history").stdout, " full-", "former")[0]

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
