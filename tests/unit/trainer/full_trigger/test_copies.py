"""Images with the same pixels count once, with the label that counts for all of them."""

from services.trainer.full_trigger.decisions.state import state_of
from services.trainer.full_trigger.decisions.training_due import State
from shared.contract.events import ImageStored
from shared.testing import image_withdrawn, label_corrected, model_trained
from tests.unit.trainer.full_trigger.test_agents import SETTINGS, Bench, image

PIXELS = "c" * 64


def state(bench: Bench) -> State:
    tables = bench.tables
    training = bench.trigger._training
    return state_of(tables.images, tables.corrections, training, SETTINGS.labels, tables.withdrawals)


async def store_pair(bench: Bench) -> tuple[ImageStored, ImageStored]:
    """Store the same pixels in two files, a second apart."""
    one, other = image(0, pixels_sha256=PIXELS), image(1, pixels_sha256=PIXELS)
    for event in (one, other):
        await bench.take(event)
        bench.clock.move(1)
    return one, other


async def test_two_files_with_the_same_pixels_are_one_new_image() -> None:
    async with Bench() as bench:
        one, _ = await store_pair(bench)
        await bench.take(image(2))
        assert len(state(bench).new_images) == 2
        assert [each.event_id for each in state(bench).trusted["grass"]] == [one.event_id]


async def test_a_copy_of_an_image_that_was_learned_is_not_new() -> None:
    async with Bench() as bench:
        await bench.take(image(0, pixels_sha256=PIXELS))
        await bench.take(model_trained(positions={"image.stored/0": 1}, manifest_cut_at=bench.clock()))
        bench.clock.move(10)
        await bench.take(image(0, pixels_sha256=PIXELS))
        assert state(bench).new_images == []


async def test_the_latest_decision_gives_the_label_of_both() -> None:
    async with Bench() as bench:
        one, _ = await store_pair(bench)
        await bench.take(label_corrected(image_id=one.image_id, label_to="dandelion", revision=1))
        counted = {label: len(arrivals) for label, arrivals in state(bench).trusted.items()}
        assert counted == {"dandelion": 1, "grass": 0}


async def test_of_two_copies_the_one_that_stays_counts() -> None:
    async with Bench() as bench:
        one, other = await store_pair(bench)
        await bench.take(image_withdrawn(image_id=other.image_id, sha256=other.sha256))
        counted = state(bench).trusted
        assert [each.event_id for each in counted["dandelion"]] == [one.event_id]
        assert counted["grass"] == []
