"""Models folded to the full ones, all promotions, and what two models and their data sets differ in, over HTTP."""

import json
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from shared.contract.events import ClassFigures, ModelTrained, RuleOutcome, VerdictEvidence
from shared.testing import image_stored, model_promoted, model_rejected, model_trained

from .conftest import Labeler


def fast(version: str, parent: str, **changes: Any) -> ModelTrained:
    """Return a candidate of the fast lane."""
    return model_trained(version=version, parent=parent, lane="fast", **changes)


def evidence(gained: tuple[UUID, ...] = (), lost: tuple[UUID, ...] = (), more: int = 0) -> VerdictEvidence:
    """Return the evidence that names these images, of which there are `more`."""
    return VerdictEvidence(gained=len(gained) + more, lost=len(lost), gained_images=gained, lost_images=lost)


async def test_the_history_is_folded_to_the_full_models(labeler: Labeler) -> None:
    clock = labeler.clock
    trained = [model_trained(version="full-1", occurred_at=clock())]
    for version, parent in (("fast-1", "full-1"), ("fast-2", "fast-1"), ("fast-3", "fast-2")):
        clock.move(60)
        trained.append(fast(version, parent, occurred_at=clock()))
    clock.move(60)
    trained.append(model_trained(version="full-2", parent="fast-2", occurred_at=clock()))
    await labeler.publish(
        *trained,
        model_promoted(version="full-1", sequence=1),
        model_promoted(version="fast-1", sequence=2, lane="fast"),
        model_promoted(version="fast-2", sequence=3, lane="fast"),
        model_rejected(version="fast-3", summary="It breaks a corrected image."),
        model_rejected(version="full-2", summary="Worse."),
    )

    newest, oldest = await labeler.get("/models/generations")

    assert (newest["model"]["version"], newest["versions"], newest["newest"]) == ("full-2", 0, None)
    assert (oldest["model"]["version"], oldest["versions"], oldest["served"], oldest["rejected"]) == ("full-1", 3, 2, 1)
    assert (oldest["newest"]["version"], oldest["newest"]["state"]) == ("fast-2", "champion")
    assert [one["version"] for one in await labeler.get("/models/full-1/versions")] == ["fast-3", "fast-2", "fast-1"]
    assert [one["model"]["version"] for one in await labeler.get("/models/generations?limit=1")] == ["full-2"]


async def test_promotions_are_listed_with_the_accuracy_of_their_version(labeler: Labeler) -> None:
    rule = RuleOutcome(rule="accuracy", outcome="passed", sentence="Good.", figures={"accuracy": 0.75})
    await labeler.publish(
        model_trained(version="full-1", metrics={"test_accuracy": 0.7}),
        model_trained(version="full-2"),
        model_promoted(version="full-1", sequence=1),
        model_promoted(version="full-2", sequence=2, verdict=(rule,), route="superior"),
        model_promoted(version="full-1", sequence=3, route="rollback", frozen=True, requested_by="olga"),
        model_promoted(version="full-2", sequence=4, route="override", requested_by="olga"),
    )

    points = await labeler.get("/models/promotions")

    assert [(one["sequence"], one["accuracy"]) for one in points] == [(1, 0.7), (2, 0.75), (3, 0.7), (4, 0.75)]
    assert (points[2]["route"], points[2]["frozen"], points[2]["requested_by"]) == ("rollback", True, "olga")
    assert [one["sequence"] for one in await labeler.get("/models/promotions?limit=2")] == [3, 4]


async def test_the_verdicts_between_two_versions_are_added_up(labeler: Labeler) -> None:
    kept, passing, lost = uuid4(), uuid4(), uuid4()
    await labeler.publish(
        model_trained(version="full-1"),
        *(fast(version, "full-1") for version in ("fast-1", "fast-2", "fast-3")),
        model_promoted(version="full-1", sequence=1),
        model_promoted(version="fast-1", sequence=2, evidence=evidence((kept, passing))),
        model_promoted(version="fast-2", sequence=3, evidence=evidence((), (passing, lost))),
        model_rejected(version="fast-3", evidence=evidence((lost,))),
    )

    named = (image_stored(image_id=kept, label="grass"), image_stored(image_id=lost))
    await labeler.publish(*named)
    forwards = await labeler.get("/models/fast-2/against/full-1")
    backwards = await labeler.get("/models/full-1/against/fast-2")
    refused = await labeler.get("/models/fast-3/against/fast-1")

    only_kept, only_lost = [{"image_id": str(kept), "label": "grass"}], [{"image_id": str(lost), "label": "dandelion"}]
    assert (forwards["gained"], forwards["lost"], forwards["why_incomplete"]) == (only_kept, only_lost, "")
    assert (backwards["gained"], backwards["lost"]) == (only_lost, only_kept)
    assert (refused["gained"], refused["lost"]) == ([], [{"image_id": str(passing), "label": None}])


async def test_a_comparison_says_where_verdicts_name_too_little(labeler: Labeler) -> None:
    await labeler.publish(
        *(model_trained(version=f"full-{number}") for number in range(1, 4)),
        model_promoted(version="full-1", sequence=1),
        model_promoted(version="full-2", sequence=2),
        model_promoted(version="full-3", sequence=3, evidence=evidence(more=1)),
    )

    unmeasured = await labeler.get("/models/full-3/against/full-1")
    many = await labeler.get("/models/full-3/against/full-2")

    assert "the verdict on full-2 names no images" in unmeasured["why_incomplete"]
    assert "at most 100" in many["why_incomplete"]
    async with labeler.client("anna") as client:
        assert (await client.get("/models/full-3/against/full-9")).status_code == 404


async def test_the_learning_curve_says_what_the_last_labels_brought(labeler: Labeler) -> None:
    def measured(right: int, *gained: UUID) -> VerdictEvidence:
        share = right / 60
        of_class = ClassFigures(label="grass", images=60, right=right, recall=share, low=share, high=share)
        return evidence(gained).model_copy(update={"classes": (of_class,)})

    assert (await labeler.get("/models/learning-curve"))["why_none"] == "No model is in service yet."
    images = [uuid4() for _ in range(8)]
    await labeler.publish(
        model_trained(version="full-1", training_images=200, corrections=()),
        fast("fast-1", "full-1", corrections=None, holds=15),
        fast("fast-2", "fast-1", corrections=None, holds=120),
        model_promoted(version="full-1", sequence=1, evidence=measured(50)),
        model_promoted(version="fast-1", sequence=2, evidence=measured(51, images[0])),
    )
    early = await labeler.get("/models/learning-curve")
    await labeler.publish(model_promoted(version="fast-2", sequence=3, evidence=measured(58, *images[1:])))
    found = await labeler.get("/models/learning-curve")

    assert (early["last"], early["why_none"]) == (None, "From 20 new labels on, what they brought is shown here.")
    points = [(one["sequence"], one["labels"], one["right"], one["images"]) for one in found["points"]]
    assert points == [(1, 200, 50, 60), (2, 215, 51, 60), (3, 320, 58, 60)]
    assert found["points"][0]["low"] < 50 / 60 < found["points"][0]["high"]
    last = found["last"]
    assert (last["since"], last["labels"], last["gained"], last["lost"]) == ("fast-1", 105, 7, 0)
    assert 0 < last["low"] < 7 / 60 < last["high"]
    assert last["verdict"] == "helped"

    await labeler.publish(model_promoted(version="full-1", sequence=4, route="rollback", frozen=True))
    assert (await labeler.get("/models/learning-curve"))["last"] is None


async def store_manifest(labeler: Labeler, *samples: tuple[UUID, str, str]) -> dict[str, str]:
    """Store a manifest of samples: image, label, side; return where it is, as a model.trained says it."""
    listed = [{"image_id": str(image), "label": label, "side": side} for image, label, side in samples]
    text = json.dumps({"samples": listed}).encode()
    digest = sha256(text).hexdigest()
    await labeler.store.put(f"manifests/{digest}.json", text, "application/json")
    return {"manifest_key": f"manifests/{digest}.json", "manifest_sha256": digest}


async def test_two_data_sets_differ_in_images_and_in_labels(labeler: Labeler) -> None:
    kept, corrected, new = uuid4(), uuid4(), uuid4()
    first = await store_manifest(labeler, (kept, "grass", "train"), (corrected, "grass", "train"))
    layer = await store_manifest(labeler, (corrected, "dandelion", "train"))
    second = await store_manifest(labeler, (kept, "grass", "train"), (new, "grass", "test"))
    await labeler.publish(
        model_trained(version="full-1", **first),
        fast("fast-1", "full-1", **layer),
        model_trained(version="full-2", parent="fast-1", **second),
    )

    by_correction = await labeler.get("/models/fast-1/data-against/full-1")
    by_training = await labeler.get("/models/full-2/data-against/fast-1")

    assert [by_correction[name] for name in ("added", "removed", "relabelled")] == [0, 0, 1]
    [change] = by_correction["changes"]
    assert (change["before"]["label"], change["after"]["label"]) == ("grass", "dandelion")
    assert [by_training[name] for name in ("added", "removed", "relabelled")] == [1, 1, 0]
    assert [change["image_id"] for change in by_training["changes"]] == [str(new), str(corrected)]
    assert (await labeler.get("/models/full-2/data-against/fast-1?limit=0"))["changes"] == []


async def test_a_data_set_that_is_lost_says_so(labeler: Labeler) -> None:
    await labeler.publish(model_trained(version="full-1"))
    async with labeler.client("anna") as client:
        answer = await client.get("/models/full-1/data-against/full-1")

    assert (answer.status_code, answer.json()["error"]) == (404, "data_set_lost")
    assert "full-1 has learned from" in answer.json()["detail"]
