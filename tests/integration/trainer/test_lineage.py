"""Where models come from: models of the fast lane made again, and data sets compared."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.trainer.lineage import answers
from services.trainer.lineage.checkout import ForeignFolder, check_out
from services.trainer.lineage.models import ModelReader, UnknownModel
from services.trainer.lineage.reproduce import reproduce
from shared.contract.events import ModelTrained
from shared.runtime.clock import utc_now
from shared.testing import model_trained
from tests.integration.trainer.trainer_env import Parts, Stored, World


@dataclass
class Made:
    """A full model, and one of the fast lane that holds a correction of `corrected`."""

    world: World
    reader: ModelReader
    full: ModelTrained
    fast: ModelTrained
    corrected: Stored


@pytest.fixture
async def made(world: World, parts: Parts) -> AsyncIterator[Made]:
    async with parts.running("projection", "gate", "fast"):
        await world.dataset()
        full = await world.full()
        await world.verdict(full)
        corrected = await world.image("dandelion", says="grass", trust="claimed")
        champion = await world.live(await world.correct(corrected, "dandelion"))
        yield Made(world, ModelReader(world.database, world.store), full, champion.model, corrected)


async def test_a_fast_model_comes_out_the_same(made: Made) -> None:
    before = await made.world.store.keys("")

    report = await reproduce(made.reader, made.fast.version)

    assert (report.same, report.findings, report.base) == (True, [], made.full.version), report
    assert report.made == report.recorded
    assert await made.world.store.keys("") == before

    await made.world.store.delete(made.fast.artefact_key)  # as the sweeper does once newer candidates are there
    assert (await reproduce(made.reader, made.fast.version)).same


async def test_a_model_with_other_weights_is_told_from_it(made: Made) -> None:
    other = model_trained(
        **{
            **made.fast.model_dump(exclude={"event_id", "version", "weights_sha256", "occurred_at", "made_with"}),
            "version": "fast-other",
            "weights_sha256": "0" * 64,
            "occurred_at": utc_now(),
            "made_with": {**made.fast.made_with, "numpy": "0.1", "cpu": "another"},
        }
    )
    await made.world.publish(other)
    await made.world.verdict(other)

    report = await reproduce(made.reader, "fast-other")

    assert not report.same
    assert [finding.what for finding in report.findings] == ["libraries", "cpu"]
    assert "numpy 0.1 then" in report.findings[0].sentence
    assert "head or correction layer" in report.sentence


async def test_images_and_manifests_that_are_lost_are_named(made: Made) -> None:
    key = made.corrected.event.object_key
    data = await made.world.store.get(key)
    await made.world.store.put(key, b"something else")
    images = await reproduce(made.reader, made.fast.version)
    await made.world.store.put(key, data)
    await made.world.store.put(made.fast.manifest_key, b"{}")
    manifest = await reproduce(made.reader, made.fast.version)

    assert (images.same, images.made, [each.what for each in images.findings]) == (False, None, ["images"])
    assert str(made.corrected.image_id) in images.findings[0].sentence
    assert (manifest.same, [each.what for each in manifest.findings]) == (False, ["manifest"])


async def test_a_model_of_another_release_is_told_as_such(made: Made) -> None:
    report = await reproduce(made.reader, made.full.version)

    assert (report.same, report.made) == (False, None)
    assert "This release does not make this model any more" in report.findings[0].sentence
    with pytest.raises(UnknownModel, match="pappus history"):
        await reproduce(made.reader, "full-none")


async def test_two_data_sets_differ_by_what_was_learned(made: Made) -> None:
    found = await answers.compare(made.reader, made.full.version, made.fast.version)
    same = await answers.compare(made.reader, made.full.version, made.full.version)

    [added] = found["added"]
    assert added["image_id"] == str(made.corrected.image_id)
    assert added["after"] == {"label": "dandelion", "revision": 1, "side": "train", "in_layer": True}
    assert [found[name] for name in ("removed", "relabelled", "moved")] == [[], [], []]
    assert (found["second"]["images"], same["added"]) == (61, [])


async def test_an_image_is_found_in_the_models_that_saw_it(made: Made) -> None:
    found = await answers.seen(made.reader, made.world.images[0].image_id)
    unseen = await answers.seen(made.reader, made.corrected.image_id)

    assert [(each["version"], each["side"]) for each in found["models"]] == [(made.full.version, "train")]
    assert (unseen["models"], unseen["unread"], unseen["older"]) == ([], [], False)


async def test_a_checkout_goes_on_where_it_ended_and_mends_damage(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    await check_out(made.reader, made.fast.version, folder)
    [damaged, gone, *_] = sorted(folder.glob("*/*/*.png"))
    damaged.write_bytes(b"damage")
    gone.unlink()

    again = await check_out(made.reader, made.fast.version, folder)

    assert (again["written"], again["kept"], again["lost"]) == (2, 59, [])
    lines = (folder / "manifest.csv").read_text().splitlines()
    assert lines[0] == "file,image_id,sha256,label,revision,side,in_layer"
    assert len(lines) == 62
    assert [line for line in lines if line.endswith(",yes")] == [
        line for line in lines if str(made.corrected.image_id) in line
    ]


async def test_a_checkout_names_the_images_that_are_lost(made: Made, tmp_path: Path) -> None:
    await made.world.store.put(made.corrected.event.object_key, b"something else")
    found = await check_out(made.reader, made.fast.version, tmp_path / "new")
    assert found["lost"] == [str(made.corrected.image_id)]


async def test_a_checkout_touches_no_folder_of_others(made: Made, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ForeignFolder, match="is not empty"):
        await check_out(made.reader, made.full.version, tmp_path)
    await check_out(made.reader, made.fast.version, tmp_path / "images")
    with pytest.raises(ForeignFolder, match=made.fast.version):
        await check_out(made.reader, made.full.version, tmp_path / "images")
    assert (tmp_path / "letter.txt").read_text() == "dear"
