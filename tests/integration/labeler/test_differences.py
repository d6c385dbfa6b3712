"""Models that are announced as a difference to their parent: what they hold is told as if it were listed."""

from typing import Any
from uuid import UUID

from shared.contract.events import AppliedCorrection
from shared.testing import image_stored, image_withdrawn, label_corrected, model_promoted, model_trained

from .conftest import Labeler

NUMBER = 4


async def corrected_images(labeler: Labeler) -> list[UUID]:
    """Store some images and correct each once; gives their ids in order."""
    stored = sorted((image_stored() for _ in range(NUMBER)), key=lambda one: one.image_id)
    await labeler.publish(*stored, *(label_corrected(image_id=one.image_id, corrected_by="anna") for one in stored))
    return [one.image_id for one in stored]


def held(image_id: UUID, revision: int = 1) -> AppliedCorrection:
    return AppliedCorrection(image_id=image_id, revision=revision)


def difference(version: str, parent: str, **changes: Any) -> Any:
    return model_trained(version=version, lane="fast", parent=parent, corrections=None, **changes)


async def line(labeler: Labeler) -> list[UUID]:
    """Publish a full model that lists two corrections, and four that differ from the one before; the last is not
    promoted."""
    images = await corrected_images(labeler)
    first, second, third, fourth = images
    await labeler.publish(
        model_trained(version="full-1", corrections=(held(first), held(second))),
        model_promoted(version="full-1", sequence=1),
        difference("fast-2", "full-1", added=(held(third),), holds=3),
        model_promoted(version="fast-2", sequence=2),
        difference("fast-3", "fast-2", added=(held(first, 2),), removed=(held(first),), holds=3),
        model_promoted(version="fast-3", sequence=3),
        difference("fast-4", "fast-3", removed=(held(second),), holds=2),
        model_promoted(version="fast-4", sequence=4),
        difference("fast-5", "fast-4", added=(held(fourth),), holds=3),
    )
    return images


async def test_a_story_lists_what_a_model_holds_and_what_is_new(labeler: Labeler) -> None:
    first, second, third, fourth = await line(labeler)

    async def told(version: str) -> tuple[set[tuple[str, int, bool]], int, int]:
        story = await labeler.get(f"/models/{version}/story")
        learned = {(one["image_id"], one["revision"], one["is_new"]) for one in story["learned"]}
        return learned, story["corrections"], story["new_corrections"]

    assert await told("full-1") == ({(str(first), 1, True), (str(second), 1, True)}, 2, 2)
    assert await told("fast-2") == ({(str(first), 1, False), (str(second), 1, False), (str(third), 1, True)}, 3, 1)
    assert await told("fast-3") == ({(str(first), 2, True), (str(second), 1, False), (str(third), 1, False)}, 3, 1)
    assert await told("fast-4") == ({(str(first), 2, False), (str(third), 1, False)}, 2, 0)
    assert await told("fast-5") == ({(str(first), 2, False), (str(third), 1, False), (str(fourth), 1, True)}, 3, 1)


async def test_an_image_names_all_models_that_hold_it(labeler: Labeler) -> None:
    first, second, third, fourth = await line(labeler)

    async def holding(image_id: UUID) -> set[tuple[str, int]]:
        story = await labeler.get(f"/images/{image_id}/story")
        return {(one["version"], one["revision"]) for one in story["models"]}

    assert await holding(first) == {("full-1", 1), ("fast-2", 1), ("fast-3", 2), ("fast-4", 2), ("fast-5", 2)}
    assert await holding(second) == {("full-1", 1), ("fast-2", 1), ("fast-3", 1)}
    assert await holding(third) == {("fast-2", 1), ("fast-3", 1), ("fast-4", 1), ("fast-5", 1)}
    assert await holding(fourth) == {("fast-5", 1)}


async def test_a_correction_is_live_since_the_promotion_of_what_added_it(labeler: Labeler) -> None:
    first, second, third, fourth = await line(labeler)

    async def live_in(image_id: UUID) -> str | None:
        version: str | None = (await labeler.get(f"/images/{image_id}/history"))[1]["live_in"]
        return version

    assert [await live_in(one) for one in (first, second, third, fourth)] == ["full-1", "full-1", "fast-2", None]


async def test_a_withdrawn_label_is_live_in_the_first_model_without_it(labeler: Labeler) -> None:
    images = await corrected_images(labeler)
    await labeler.publish(
        model_trained(version="full-1", corrections=(held(images[0]),)),
        model_promoted(version="full-1", sequence=1),
        label_corrected(image_id=images[0], revision=2, label_to=None, no_label="withdrawn", corrected_by="anna"),
        difference("fast-2", "full-1", added=(held(images[1]),), holds=2),
        model_promoted(version="fast-2", sequence=2),
        difference("fast-3", "fast-2", removed=(held(images[0]),), holds=1),
        model_promoted(version="fast-3", sequence=3),
    )
    assert (await labeler.get(f"/images/{images[0]}/history"))[2]["live_in"] == "fast-3"


async def test_the_decisions_of_a_person_in_service_are_counted(labeler: Labeler) -> None:
    await line(labeler)
    decisions = await labeler.get("/decisions?by=anna")
    assert (decisions["version"], decisions["in_service"]) == ("fast-4", 1)  # of the first image it holds a later one


async def test_a_withdrawn_image_names_the_models_that_hold_it(labeler: Labeler) -> None:
    _, _, third, _ = await line(labeler)
    await labeler.publish(image_withdrawn(image_id=third))
    story = await labeler.get(f"/images/{third}/story")
    assert set(story["withdrawal"]["held_by"]) == {"fast-2", "fast-3", "fast-4", "fast-5"}
    assert story["withdrawal"]["serving"] == "fast-4"
