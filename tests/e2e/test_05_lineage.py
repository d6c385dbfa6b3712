"""Where answers, labels and models come from; and a person whose labels are wrong, taken out by one command."""

import asyncio
import json
from subprocess import CompletedProcess
from typing import Any

from pappus.demo.drawing import draw_tiles
from shared.clients.labeler import correct_label
from shared.testing import eventually

from .demo_run import LIVE_SECONDS, Told, brought, other

PICTURES = [draw_tiles(seed) for seed in range(60, 65)]


def document(ended: CompletedProcess[str]) -> dict[str, Any]:
    """Return what a command with --json gave."""
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


async def test_wrong_labels_of_a_person_are_named_and_taken_out(told: Told) -> None:
    assert told.pappus("users", "add", "mallory").returncode == 0
    before = [(await told.answer(data)).label for data in PICTURES]

    async def known() -> bool:
        return told.pappus("why", "full-0", "--as", "mallory").stderr.startswith("There is no model full-0.")

    await eventually(known, LIVE_SECONDS)  # the labeler follows the file of people
    async with told.running.acting_as("mallory").labeler_as("labeler") as person:
        images = await asyncio.gather(*(brought(person, data) for data in PICTURES))
        for image, label in zip(images, before, strict=True):
            await person.send(correct_label(image.image_id, other(label), image.revision, shown_label=label))
    named = document(told.pappus("blame", "mallory", "--json"))
    assert (named["holding"], named["contradict_model"]) == (len(PICTURES), len(PICTURES))

    taken = told.pappus("blame", "mallory", "--take-out", "--yes", "--reason", "wrong on purpose")
    again = document(told.pappus("blame", "mallory", "--take-out", "--yes", "--json"))

    assert taken.returncode == 0, taken.stderr
    assert f"It is taken out of {len(PICTURES)} images." in taken.stdout
    assert again["taken_out"] == 0
    for data, label in zip(PICTURES, before, strict=True):
        await told.until_answered(data, label)
    why = told.pappus("why", str(images[0].image_id)).stdout
    assert f"Revision 1: mallory said {other(before[0])}" in why
    assert "(wrong on purpose)" in why
    assert told.pappus("users", "remove", "mallory").returncode == 0


async def test_the_model_in_service_is_explained_and_comes_out_the_same(told: Told) -> None:
    answer = await told.answer(PICTURES[0])
    version = answer.model_version

    explained = document(told.pappus("why", version, "--json"))
    again = document(told.pappus("reproduce", version, "--json"))
    kept = document(told.pappus("artefacts", "--json"))
    same = document(told.pappus("dataset", "diff", version, version, "--json"))

    assert explained["model"]["version"] == version
    assert any("serves now" in sentence for sentence in explained["sentences"])
    assert len(explained["replicas"]) == 2
    assert (again["same"], again["findings"]) == (True, [])
    assert set(same["counts"].values()) == {0}
    assert "serves" in [each["reason"] for each in kept["kept"]]
    assert kept["going"] == []  # all is of today

    async def on_the_log() -> bool:
        return told.pappus("why", str(answer.prediction_id)).returncode == 0

    await eventually(on_the_log, LIVE_SECONDS)
    story = document(told.pappus("why", str(answer.prediction_id), "--json"))
    assert (story["kind"], story["prediction"]["label"]) == ("prediction", answer.label)
    assert story["sentences"][0].startswith(f"{version} answered {answer.label} about ")
