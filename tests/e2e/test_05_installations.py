"""The same commands by addresses and passwords alone, as for an installation elsewhere: no state folder is known."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pappus.demo.drawing import DRAWN_LABELS, draw, draw_tiles
from shared.clients.labeler import get_champion

from .demo_run import COMMAND_SECONDS, PROJECT, Told, other

DATA = draw_tiles(21)
OTHER_SEED = 4711


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start a command in a folder that knows nothing of a stack."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PAPPUS_")}
    return subprocess.Popen(
        [sys.executable, "-m", "pappus.cli", *arguments],
        cwd=folder,
        env=inherited | {"COLUMNS": "250", "PYTHONPATH": str(PROJECT)} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(command: subprocess.Popen[str]) -> str:
    """Wait for the end of a command that works; its output."""
    output, error = command.communicate(timeout=COMMAND_SECONDS)
    assert command.returncode == 0, output + error
    return output


def environment_of(told: Told) -> Mapping[str, str]:
    """Return the addresses and the labeler's password as variables; the predictor's is the one of both replicas."""
    running = told.running
    return {
        "PAPPUS_PREDICTOR_URL": running.predictor,
        "PAPPUS_LABELER_URL": running.labeler,
        "PAPPUS_LABELER_PASSWORD": running.logins["labeler"].password,
    }


@pytest.fixture
def profile(told: Told, tmp_path: Path) -> Path:
    """A profile of the stack, with the operator's password in a file beside it."""
    running, path = told.running, tmp_path / "there.toml"
    known = {"predictor": running.predictor, "labeler": running.labeler, "plants_dsn": running.plants_dsn}
    known |= {"labeler_password": running.logins["labeler"].password, "operator_password_file": "operator"}
    path.write_text("".join(f'{name} = "{value}"\n' for name, value in known.items()))
    (tmp_path / "operator").write_text(running.logins["operator"].password + "\n")
    return path


async def test_predict_and_correct_by_addresses(told: Told, tmp_path: Path) -> None:
    (tmp_path / "seen.png").write_bytes(DATA)
    label, known = other((await told.answer(DATA)).label), environment_of(told)
    corrected = finish(start(tmp_path, "correct", "seen.png", label, **known))
    await told.until_answered(DATA, label)
    image_id = corrected.split()[0]
    assert image_id in finish(start(tmp_path, "predict", "seen.png", **known))
    finish(start(tmp_path, "correct", image_id, "--withdraw", **known))
    await told.until_answered(DATA, other(label))


async def test_two_smoke_tests_at_once_leave_the_model_in_service(told: Told, profile: Path) -> None:
    async with told.person() as person:
        before = await person.send(get_champion())
        both = [start(profile.parent, "smoke", "--profile", str(profile)) for _ in range(2)]
        outputs = [finish(one) for one in both]
        after = await person.send(get_champion())
    assert before is not None
    assert after is not None
    assert not after.frozen
    assert all("serves again" in output and "behind one address" in output for output in outputs)


def test_images_of_a_folder_are_seeded_where_the_ingestor_may_fetch_them(told: Told, profile: Path) -> None:
    for label in DRAWN_LABELS:
        (profile.parent / "images" / label).mkdir(parents=True)
        (profile.parent / "images" / label / "1.jpg").write_bytes(draw(label, 1, OTHER_SEED))
    place = urlsplit(told.web).netloc
    serving = ("--serve-on", place, "--serve-as", f"http://{place}/elsewhere")
    seeded = start(profile.parent, "seed", "--images", "images", "--profile", str(profile), *serving)
    assert "2 new rows; 2 of 2 images stored." in finish(seeded)
