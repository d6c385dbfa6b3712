"""Drifts and live accuracy as the API shows them, and what a drift changes in the review queue."""

from datetime import timedelta
from random import Random
from uuid import UUID

from services.labeler.decisions.sampling import DRIFTED
from shared.contract.events import LabelCorrected
from shared.testing import (
    drift_detected,
    image_scored,
    image_stored,
    label_corrected,
    model_promoted,
    model_trained,
)
from shared.testing.events import NOON

from .conftest import Labeler

HOUR = timedelta(hours=1)
AT_ONCE = 200


async def order(labeler: Labeler) -> list[UUID]:
    """Return the ids in the queue."""
    return [UUID(item["image_id"]) for item in (await labeler.get("/review"))["items"]]


def said(version: str, *, agreed: bool) -> LabelCorrected:
    """Return what a person says about an answer of this version that named a dandelion."""
    return label_corrected(
        shown_model_version=version, shown_label="dandelion", label_to="dandelion" if agreed else "grass"
    )


async def test_images_stored_since_a_drift_come_first_until_a_model_knows_them(labeler: Labeler) -> None:
    before = image_stored(label="grass", trust="claimed", occurred_at=NOON - HOUR)
    after = image_stored(label=None, trust="claimed", occurred_at=NOON + HOUR)
    contradicted = image_scored(image_id=before.image_id, probabilities={"dandelion": 0.9, "grass": 0.1})
    await labeler.publish(before, after, contradicted)
    assert await order(labeler) == [before.image_id, after.image_id]

    drift = drift_detected(window_from=NOON, occurred_at=NOON + HOUR)
    await labeler.publish(drift, drift)
    assert await order(labeler) == [after.image_id, before.image_id]
    queue = await labeler.get("/review")
    assert queue["items"][0]["reason"].startswith(DRIFTED)

    await labeler.publish(model_trained(version="full-1", lane="full", manifest_cut_at=NOON + 2 * HOUR))
    assert await order(labeler) == [after.image_id, before.image_id]  # the gate may keep it out of service
    await labeler.publish(model_promoted(version="full-1", sequence=1, lane="full"))
    assert await order(labeler) == [before.image_id, after.image_id]


async def test_a_drift_is_open_until_a_full_model_cut_after_it_serves(labeler: Labeler) -> None:
    full = model_trained(version="full-1", lane="full", manifest_cut_at=NOON - HOUR)
    await labeler.publish(full, model_promoted(version="full-1", sequence=1, lane="full"))
    drift = drift_detected(occurred_at=NOON, window_from=NOON - HOUR, figures={"confidence": 0.7})
    await labeler.publish(drift)
    (shown,) = await labeler.get("/drifts")
    assert (shown["statistic"], shown["open"], shown["figures"]) == ("features", True, {"confidence": 0.7})
    champion = await labeler.get("/models/champion")
    assert [each["event_id"] for each in champion["drifts"]] == [str(drift.event_id)]

    await labeler.publish(model_trained(version="fast-2", lane="fast", occurred_at=NOON + HOUR))
    assert (await labeler.get("/drifts"))[0]["open"]
    await labeler.publish(model_trained(version="full-3", lane="full", manifest_cut_at=NOON + HOUR))
    assert (await labeler.get("/drifts"))[0]["open"]
    await labeler.publish(model_promoted(version="full-3", sequence=2, lane="full"))
    assert not (await labeler.get("/drifts"))[0]["open"]
    assert (await labeler.get("/models/champion"))["drifts"] == []


async def test_the_first_decision_about_an_image_and_a_version_counts(labeler: Labeler) -> None:
    await labeler.publish(model_trained(version="full-1", lane="full"))
    first = said("full-1", agreed=False)
    again = said("full-1", agreed=True).model_copy(update={"image_id": first.image_id, "revision": 2})
    unsure = label_corrected(
        shown_model_version="full-1", shown_label="dandelion", label_to=None, no_label="unsure", revision=1
    )
    await labeler.publish(first, first, again, unsure, label_corrected())
    (model,) = await labeler.get("/models")
    assert (model["live"]["answers"], model["live"]["agreed"]) == (1, 0)


async def test_the_champion_shows_what_people_said_since_the_last_full_model(labeler: Labeler) -> None:
    for sequence, (version, lane) in enumerate([("full-1", "full"), ("fast-2", "fast"), ("full-3", "full")], 1):
        await labeler.publish(
            model_trained(version=version, lane=lane), model_promoted(version=version, sequence=sequence, lane=lane)
        )
    await labeler.publish(
        *(said(version, agreed=True) for version in ("full-1", "fast-2", "full-3")), said("full-3", agreed=False)
    )
    champion = await labeler.get("/models/champion")
    assert (champion["live"]["answers"], champion["live"]["share"]) == (2, 0.5)
    assert champion["live_since_full"] == champion["live"]
    models = {each["version"]: each["live"]["answers"] for each in await labeler.get("/models")}
    assert models == {"full-1": 1, "fast-2": 1, "full-3": 2}


async def test_the_truth_lies_in_the_interval_in_nine_of_ten_streams(labeler: Labeler) -> None:
    random, truths = Random(20), {f"full-{run}": Random(run).uniform(0.6, 0.98) for run in range(50)}
    await labeler.publish(*(model_trained(version=version, lane="full") for version in truths))
    stream = [
        said(version, agreed=random.random() < truth)
        for version, truth in truths.items()
        for _ in range(random.randint(20, 60))
    ]
    random.shuffle(stream)
    for start in range(0, len(stream), AT_ONCE):
        await labeler.publish(*stream[start : start + AT_ONCE])
    shown = {model["version"]: model["live"] for model in await labeler.get("/models?limit=100")}
    assert sum(live["answers"] for live in shown.values()) == len(stream)
    inside = [version for version, truth in truths.items() if shown[version]["low"] <= truth <= shown[version]["high"]]
    assert len(inside) >= 45
