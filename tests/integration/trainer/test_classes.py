"""A class that is added while everything runs: answered as soon as an image is corrected to it, judged rightly beside
models that do not know it, and learned once there are enough images."""

from services.trainer.data.artefacts import load_artefact
from services.trainer.full_lane.decisions.plan import plan_model
from services.trainer.full_lane.snapshot import TableDataset
from services.trainer.lineage.models import ModelReader
from services.trainer.lineage.reproduce import reproduce
from shared.contract.events import ModelRejected
from shared.contract.label_set import with_configured
from shared.tables.label_set import read_label_set
from shared.testing import eventually, label_set_changed
from tests.integration.trainer.test_fast_lane import answered, first_champion
from tests.integration.trainer.trainer_env import LABELS, Parts, World

ADDED = label_set_changed({"dandelion": "dandelion", "grass": "grass", "moss": "moss"})
LATER = label_set_changed({label: label for label in ("dandelion", "grass", "moss", "rose")}, revision=2)


async def test_the_first_correction_to_an_added_class_makes_it_known(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate", "fast"):
        first = await first_champion(world)
        images = [await world.image("grass") for _ in range(3)]
        await world.publish(ADDED, ADDED)
        champion = await world.live(await world.correct(images[0], "moss"))
        known = champion.model
        assert await answered(world, images[0]) == "moss"
        assert await answered(world, images[1]) == "grass"
        later = await world.live(await world.correct(images[1], "moss"), await world.correct(images[2], "dandelion"))
        assert [await answered(world, image) for image in images] == ["moss", "moss", "dandelion"]
    assert (known.labels, known.unlearned) == ((*first.labels, "moss"), ("moss",))
    assert (known.lane, known.parent) == ("fast", first.version)
    said = {one.rule: one for one in champion.promotion.verdict}
    assert "The champion does not know “moss”" in said["classes"].sentence
    assert "recall_moss" not in said
    assert later.model.unlearned == ("moss",)
    layer = await load_artefact(world.store, later.model)
    assert (layer.base.key, layer.base.sha256) == (known.artefact_key, known.artefact_sha256)


async def test_a_second_added_class_joins_the_first(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate", "fast"):
        await first_champion(world)
        images = [await world.image("grass") for _ in range(2)]
        await world.publish(ADDED)
        await world.live(await world.correct(images[0], "moss"))
        await world.publish(LATER)
        champion = await world.live(await world.correct(images[1], "rose"))
        assert [await answered(world, image) for image in images] == ["moss", "rose"]
    assert champion.model.labels == ("dandelion", "grass", "moss", "rose")
    assert champion.model.unlearned == ("moss", "rose")


async def test_after_a_restart_candidates_go_on_and_are_made_again(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate", "fast"):
        await first_champion(world)
        images = [await world.image("grass") for _ in range(2)]
        await world.publish(ADDED)
        known = (await world.live(await world.correct(images[0], "moss"))).model
    async with Parts(world).running("projection", "gate", "fast", "fast"):
        await world.publish(ADDED)
        later = (await world.live(await world.correct(images[1], "moss"))).model
        assert [await answered(world, image) for image in images] == ["moss", "moss"]
    layer = await load_artefact(world.store, later)
    assert (layer.base.key, layer.metadata.labels) == (known.artefact_key, later.labels)
    reader = ModelReader(world.database, world.store)
    for model in (known, later):
        report = await reproduce(reader, model.version)
        assert (report.same, report.findings) == (True, []), report


async def test_a_model_with_a_class_that_was_not_added_is_rejected(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate"):
        await first_champion(world)
        verdict = await world.verdict(await world.full(labels=("dandelion", "moss")))
        assert isinstance(verdict, ModelRejected)
        assert "moss" in verdict.summary


async def test_changes_are_folded_once_and_in_their_order(world: World, parts: Parts) -> None:
    async with parts.running("projection"):
        await world.publish(LATER, ADDED, ADDED, LATER, ADDED)

        async def there() -> bool:
            return (await read_label_set(world.database, LABELS)).revision == 2

        await eventually(there)
        rows = await world.database.fetch("SELECT revision FROM label_sets ORDER BY revision")
    assert [row["revision"] for row in rows] == [1, 2]
    assert (await read_label_set(world.database, LABELS)).labels == (*LABELS, "moss", "rose")


async def test_the_next_full_model_learns_it_once_there_are_enough(world: World, parts: Parts) -> None:
    async with parts.running("projection"):
        await world.dataset(train=10, test=4)
        await world.publish(ADDED)
        for _ in range(4):
            await world.image("grass", says="moss")
        await world.image("grass", "test", says="moss")
        dataset = TableDataset(world.event_log, world.database, 10)
        few = await dataset.take_snapshot()
        classes = with_configured(few.changed, LABELS)
        plan = plan_model(few.samples, LABELS, classes.labels, (), {})
        assert (plan.labels, plan.unlearned) == (LABELS, ("moss",))
        assert {sample.label for sample in plan.manifest.samples} == set(LABELS)
        await world.correct(await world.image("grass"), "moss")
        enough = await dataset.take_snapshot()
        learned = plan_model(enough.samples, LABELS, classes.labels, (), {})
    assert (learned.labels, learned.unlearned) == ((*LABELS, "moss"), ())
    assert sum(sample.label == "moss" for sample in learned.manifest.samples) == 6
