"""The history of a label: which model holds a correction, since when, or why not."""

from datetime import timedelta

from shared.contract.events import AppliedCorrection, SetAside
from shared.testing import (
    image_stored,
    label_corrected,
    model_promoted,
    model_rejected,
    model_trained,
)

from .conftest import Labeler


async def test_a_correction_is_live_since_the_first_promoted_model_that_holds_it(labeler: Labeler) -> None:
    stored = image_stored()
    corrected = label_corrected(image_id=stored.image_id)
    mine = AppliedCorrection(image_id=stored.image_id, revision=1)
    promoted_at = corrected.occurred_at + timedelta(seconds=0.08)
    await labeler.publish(
        stored,
        corrected,
        model_trained(version="v1"),
        model_promoted(version="v1", sequence=1),
        model_trained(version="fast-1", lane="fast", corrections=(mine,)),
        model_promoted(version="fast-1", sequence=2, occurred_at=promoted_at),
        model_trained(version="fast-2", lane="fast", corrections=(mine,)),
        model_promoted(version="fast-2", sequence=3),
    )

    entry = (await labeler.get(f"/images/{stored.image_id}/history"))[1]

    assert entry["live_in"] == "fast-1"
    assert entry["live_at"].startswith(promoted_at.isoformat()[:22])


async def test_a_promotion_that_came_second_makes_nothing_live(labeler: Labeler) -> None:
    stored = image_stored()
    mine = AppliedCorrection(image_id=stored.image_id, revision=1)
    await labeler.publish(
        stored,
        label_corrected(image_id=stored.image_id),
        model_trained(version="v1"),
        model_trained(version="fast-1", corrections=(mine,)),
        model_promoted(version="v1", sequence=1),
        model_promoted(version="fast-1", sequence=1),
    )

    assert (await labeler.get(f"/images/{stored.image_id}/history"))[1]["live_in"] is None
    assert (await labeler.get("/models/champion"))["version"] == "v1"


async def test_a_promotion_may_be_projected_before_its_training(labeler: Labeler) -> None:
    stored = image_stored()
    mine = AppliedCorrection(image_id=stored.image_id, revision=1)
    await labeler.publish(model_promoted(version="fast-1", sequence=1))
    await labeler.publish(stored, label_corrected(image_id=stored.image_id))
    await labeler.publish(model_trained(version="fast-1", corrections=(mine,)))

    assert (await labeler.get(f"/images/{stored.image_id}/history"))[1]["live_in"] == "fast-1"


async def test_a_correction_that_was_set_aside_says_why(labeler: Labeler) -> None:
    stored = image_stored()
    left = SetAside(image_id=stored.image_id, revision=1, sentence="It breaks eleven other answers.")
    await labeler.publish(
        stored, label_corrected(image_id=stored.image_id), model_rejected(version="fast-1", set_aside=(left,))
    )

    entry = (await labeler.get(f"/images/{stored.image_id}/history"))[1]

    assert (entry["live_in"], entry["set_aside"]) == (None, "It breaks eleven other answers.")


async def test_a_superseded_correction_shares_nothing_with_the_one_that_won(labeler: Labeler) -> None:
    stored = image_stored()
    mine = AppliedCorrection(image_id=stored.image_id, revision=1)
    await labeler.publish(
        stored,
        label_corrected(image_id=stored.image_id, corrected_by="berta"),
        label_corrected(image_id=stored.image_id, corrected_by="anna", label_to="dandelion"),
        model_trained(version="fast-1", corrections=(mine,)),
        model_promoted(version="fast-1", sequence=1),
    )

    history = await labeler.get(f"/images/{stored.image_id}/history")

    assert [(e["corrected_by"], e["state"], e["live_in"]) for e in history] == [
        ("anna", "applied", None),
        ("berta", "applied", "fast-1"),
        ("anna", "superseded", None),
    ]
