"""An image that was withdrawn asks for a training without it, as any other reason does."""

from typing import Any

import pytest

from services.trainer.full_trigger.settings import FullTriggerSettings
from shared.contract.events import Event, ImageStored
from shared.testing import image_withdrawn, label_corrected, model_promoted, model_trained
from tests.unit.trainer.full_trigger.test_agents import SETTINGS, Bench


async def trained(bench: Bench, images: int = 6, **changes: Any) -> list[ImageStored]:
    """Store images and train on them; return them."""
    made = await bench.images(images, **changes)
    bench.clock.move(10)
    positions = {f"{topic}/0": bench.offsets.get(topic, 0) for topic in TOPICS}
    await bench.take(model_trained(positions=positions, manifest_cut_at=bench.clock()))
    bench.clock.move(10)
    return made


TOPICS = ("image.stored", "image.withdrawn", "label.corrected")


def withdrawal_of(image: ImageStored) -> Event:
    return image_withdrawn(image_id=image.image_id, sha256=image.sha256)


async def test_one_image_that_was_learned_asks_for_one_training() -> None:
    async with Bench() as bench:
        image = (await trained(bench))[0]
        event = withdrawal_of(image)
        for _ in range(2):
            await bench.take(event)
        await bench.tick()
        assert bench.asked == []  # others may be withdrawn, too: a burst is one training
        await bench.tick(60)
        [request] = bench.asked
        assert (request.reason, request.causes) == ("image_withdrawn", (event.event_id,))
        assert request.detail == "1 image is withdrawn that the last full training knew."
        await bench.take(model_trained(causes=(request.event_id,), manifest_cut_at=bench.clock()))
        await bench.tick(10_000)
        assert len(bench.asked) == 1


@pytest.mark.parametrize("first", ["stored", "withdrawn"])
async def test_an_image_that_no_model_learned_asks_for_none(first: str) -> None:
    async with Bench() as bench:
        claimed = (await trained(bench, trust="claimed"))[0]
        later = (await bench.images(1))[0]
        events = [withdrawal_of(claimed), withdrawal_of(later)]
        if first == "withdrawn":  # and before it is stored
            unknown = (await bench.images(1))[0]
            del bench.tables.images[str(unknown.image_id)]
            events.append(withdrawal_of(unknown))
        for event in events:
            await bench.take(event)
        await bench.tick(3600)
        assert bench.asked == []


async def test_an_image_learned_by_its_correction_counts_and_counts_once() -> None:
    async with Bench() as bench:
        image = (await bench.images(6, trust="claimed"))[0]
        await bench.take(label_corrected(image_id=image.image_id, label_to="grass"))
        await trained(bench)
        await bench.take(withdrawal_of(image))
        await bench.take(label_corrected(image_id=image.image_id, revision=2))
        await bench.tick(60)
        assert [request.reason for request in bench.asked] == ["image_withdrawn"]


async def test_a_withdrawn_image_counts_for_no_first_model() -> None:
    async with Bench() as bench:
        image = (await bench.images(4))[0]
        await bench.take(withdrawal_of(image))
        await bench.tick(3600)
        assert bench.asked == []


async def test_dry_run_frozen_and_the_days_limit_hold_for_it() -> None:
    async with Bench() as bench:
        image = (await trained(bench))[0]
        bench.restart(FullTriggerSettings(**{**SETTINGS.model_dump(), "trigger_dry_run": True}))
        await bench.take(withdrawal_of(image))
        await bench.tick(60)
        assert (bench.asked, "would be requested" in bench.told[-1]) == ([], True)
        bench.restart()
        await bench.take(model_promoted(sequence=1, frozen=True))
        await bench.tick(60)
        assert (bench.asked, "frozen" in bench.told[-1]) == ([], True)
        await bench.take(model_promoted(sequence=2, frozen=False))
        bench.restart(FullTriggerSettings(**{**SETTINGS.model_dump(), "daily_trainings": 1}))
        bench.tables.trainings["plants"]["asked"] = [{"event_id": "a", "at": bench.clock().timestamp()}]
        bench.tables.trainings["plants"]["answers"] = ["a"]
        await bench.tick(60)
        assert bench.asked == []
        bench.clock.move(24 * 3600)
        await bench.tick(1)
