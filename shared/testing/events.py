"""One factory for each event: sensible values, any of which a test may change by name."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar
from uuid import UUID, uuid4

from shared.contract.artefact import artefact_key
from shared.contract.batches import BatchAnswer, PredictionCompleted, PredictionRequested, prediction_id_of
from shared.contract.events import (
    DriftDetected,
    Event,
    ImageRegistered,
    ImageRejected,
    ImageStored,
    ImageWithdrawn,
    LabelCorrected,
    ModelPromoted,
    ModelRejected,
    ModelTrained,
    PromotionRequested,
    TrainingRequested,
    uuid_of,
)
from shared.contract.image_scored import ImageScored
from shared.contract.label_set import LabelClass, LabelSetChanged
from shared.contract.replicas import AnswersLogged, ModelLoaded, PredictionLogged
from shared.contract.split import Side, side
from shared.contract.trials import TrialCompared, TrialStarted
from shared.contract.votes import LabelVoted

E = TypeVar("E", bound=Event)
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
MODEL = "plants"
_number = count(1)


def _made(event: type[E], values: dict[str, Any], changes: dict[str, Any], *natural_key: str) -> E:
    """Return the event; its id is the uuid5 of the natural key named, unless a test sets another."""
    merged = {"occurred_at": NOON, **values, **changes}
    merged.setdefault("event_id", uuid_of(event.topic, *(merged[name] for name in natural_key)))
    return event.model_validate(merged)


def _hash() -> str:
    return f"{next(_number):064x}"


def group_on(wanted: Side, number: int) -> str:
    """Return the name of a near-duplicate group on this side of the split; another one for each number."""
    return next(name for attempt in count() if side(name := f"{number:08x}{attempt:08x}") == wanted)


def image_registered(**changes: Any) -> ImageRegistered:
    """Return the registration of an image from the web with a claimed label."""
    image_id: UUID = changes.get("image_id") or uuid4()
    values: dict[str, Any] = {
        "image_id": image_id,
        "label": "dandelion",
        "registered_by": "anna",
        "attempt": 1,
    }
    if "upload_key" not in changes:
        values["url"] = f"https://example.org/{image_id}.jpg"
    return _made(ImageRegistered, values, changes, "image_id", "attempt")


def image_stored(**changes: Any) -> ImageStored:
    """Return a stored image of 200 x 150 pixels, alone in its near-duplicate group."""
    image_id: UUID = changes.get("image_id") or uuid4()
    sha256: str = changes.get("sha256") or _hash()
    values = {
        "image_id": image_id,
        "sha256": sha256,
        "object_key": f"images/sha256/{sha256[:2]}/{sha256}",
        "size_bytes": 12_345,
        "width": 200,
        "height": 150,
        "image_format": "jpeg",
        "perceptual_hash": sha256[-16:],
        "group_id": sha256[-16:],
        "label": "dandelion",
        "trust": "seed",
        "registered_by": "anna",
        "source_url": f"https://example.org/{image_id}.jpg",
    }
    return _made(ImageStored, values, changes, "image_id")


def image_rejected(**changes: Any) -> ImageRejected:
    """Return the rejection of an image that is not there."""
    values = {"image_id": uuid4(), "reason": "not_found", "detail": "The server answered 404.", "attempt": 1}
    return _made(ImageRejected, values, changes, "image_id", "attempt")


def image_withdrawn(**changes: Any) -> ImageWithdrawn:
    """Return the withdrawal of an image by the operator olga."""
    values = {"image_id": uuid4(), "sha256": _hash(), "withdrawn_by": "olga", "reason": "The owner asks for it."}
    return _made(ImageWithdrawn, values, changes, "image_id")


def label_corrected(**changes: Any) -> LabelCorrected:
    """Return the first correction of an image, from dandelion to grass."""
    values = {
        "image_id": uuid4(),
        "label_from": "dandelion",
        "label_to": "grass",
        "revision": 1,
        "corrected_by": "berta",
    }
    changes.setdefault("event_id", uuid4())  # its natural key is the client's idempotency key
    return _made(LabelCorrected, values, changes)


def label_voted(**changes: Any) -> LabelVoted:
    """Return a vote for grass, about an image that no person has decided about."""
    values = {"image_id": uuid4(), "revision": 1, "voted_by": "berta", "label": "grass"}
    changes.setdefault("event_id", uuid4())
    return _made(LabelVoted, values, changes)


def image_scored(**changes: Any) -> ImageScored:
    """Return the answer about a stored image: dandelion, with probability 0.9. A change names a field of the event or
    of its answer; `answer=None` is the event of a withdrawn image."""
    of_event = {name: changes.pop(name) for name in (*ImageScored.model_fields,) if name in changes}
    answer = {
        "prediction_id": uuid4(),
        "sha256": _hash(),
        "label": "dandelion",
        "probabilities": {"dandelion": 0.9, "grass": 0.1},
        "model_version": "v1",
        "sequence": 1,
        "full_model_sha256": "f" * 64,
        "replica": "worker",
        **changes,
    }
    values = {"image_id": uuid4(), "model_name": MODEL, "answer": answer}
    of_event.setdefault("event_id", uuid4())
    return _made(ImageScored, values, of_event)


def prediction_logged(**changes: Any) -> PredictionLogged:
    """Return an answer over HTTP: dandelion, with probability 0.9."""
    values = {
        "prediction_id": uuid4(),
        "model_name": MODEL,
        "model_version": "v1",
        "label": "dandelion",
        "probabilities": {"dandelion": 0.9, "grass": 0.1},
        "source": "api",
        "milliseconds": 4.2,
        "replica": "api-0",
        "sha256": _hash(),
        "projection": (0.0,) * 16,
    }
    return _made(PredictionLogged, values, changes, "prediction_id")


def answers_logged(*answers: PredictionLogged, **changes: Any) -> AnswersLogged:
    """Return answers over HTTP in one event; without any, one as `prediction_logged` makes it."""
    logged = [
        {**each.model_dump(exclude={"event_id", "occurred_at", "causes"}), "answered_at": each.occurred_at}
        for each in answers or (prediction_logged(),)
    ]
    values = {"model_name": MODEL, "replica": "api-0", "source": "api", "answers": logged}
    return _made(AnswersLogged, values, {"event_id": uuid4(), **changes})


def drift_detected(**changes: Any) -> DriftDetected:
    """Return a drift: a window that differs from its reference."""
    values = {
        "model_name": MODEL,
        "model_version": "v1",
        "statistic": "features",
        "value": 66.4,
        "threshold": 61.8,
        "window_from": NOON,
        "window_to": NOON,
        "answers": 31,
    }
    changes.setdefault("event_id", uuid4())
    return _made(DriftDetected, values, changes)


def training_requested(**changes: Any) -> TrainingRequested:
    """Return a request for a full training, because of new images."""
    values = {"model_name": MODEL, "reason": "new_images", "detail": "120 new images since the last manifest."}
    changes.setdefault("event_id", uuid4())
    return _made(TrainingRequested, values, changes)


def _artefact(changes: dict[str, Any]) -> dict[str, Any]:
    version = str(changes.get("version") or f"v{next(_number)}")
    digest = str(changes.get("artefact_sha256") or _hash())
    return {
        "model_name": MODEL,
        "version": version,
        "artefact_key": artefact_key(version, digest),
        "artefact_sha256": digest,
    }


def model_trained(**changes: Any) -> ModelTrained:
    """Return a candidate of the full lane without a parent."""
    values = {
        **_artefact(changes),
        "lane": "full",
        "parent": None,
        "backbone_id": _hash(),
        "weights_sha256": _hash(),
        "manifest_key": f"manifests/{_hash()}.json",
        "manifest_sha256": _hash(),
        "labels": ("dandelion", "grass"),
        "training_images": 80,
        "test_images": 20,
        "metrics": {"accuracy": 0.95, "log_loss": 0.2},
        "parameters": {"seed": 1, "backbone": "patches"},
        "curve": (0.7, 0.4, 0.2),
        "confusion": ((9, 1), (0, 10)),
        "seconds": {"features": 1.5, "head": 0.2},
    }
    return _made(ModelTrained, values, changes, "version")


def model_promoted(**changes: Any) -> ModelPromoted:
    """Return the first promotion."""
    values = {
        **_artefact(changes),
        "sequence": 1,
        "replaces": None,
        "lane": "full",
        "route": "first",
        "summary": "The first model: it stands above the floors.",
    }
    return _made(ModelPromoted, values, changes, "version", "sequence")


def model_rejected(**changes: Any) -> ModelRejected:
    """Return the rejection of a candidate that was worse than the champion."""
    values = {"model_name": MODEL, "version": f"v{next(_number)}", "summary": "It is worse than the champion."}
    return _made(ModelRejected, values, changes, "version")


def trial_started(**changes: Any) -> TrialStarted:
    """Return the trial of a candidate that answers half of the requests unseen."""
    cause: UUID = changes.pop("cause", None) or uuid4()
    values = {
        **_artefact(changes),
        "causes": (cause,),
        "event_id": uuid_of(TrialStarted.topic, cause),
        "mode": "shadow",
        "share": 0.5,
        "champion": "v0",
        "sequence": 1,
        "answers": 10,
        "ends_at": NOON + timedelta(hours=1),
        "disagreement": 0.2,
        "summary": "Tried first.",
    }
    return _made(TrialStarted, values, changes)


def trial_compared(**changes: Any) -> TrialCompared:
    """Return what a replica compared: eight answers of ten agree."""
    values = {
        "model_name": MODEL,
        "trial": uuid4(),
        "version": "v1",
        "replica": "api-0",
        "run": uuid4(),
        "compared": 10,
        "disagreed": 2,
    }
    return _made(TrialCompared, values, changes, "trial", "replica", "run", "compared", "disagreed")


def model_loaded(**changes: Any) -> ModelLoaded:
    """Return the report of a replica that serves."""
    values = {"replica": "api-0", "model_name": MODEL, "version": "v1", "sequence": 1, "outcome": "serving"}
    changes.setdefault("event_id", uuid4())
    return _made(ModelLoaded, values, changes)


def promotion_requested(**changes: Any) -> PromotionRequested:
    """Return the request of a person who wants an older version back."""
    values = {
        "model_name": MODEL,
        "action": "rollback",
        "version": "v1",
        "requested_by": "carla",
        "reason": "It was better on grass.",
    }
    changes.setdefault("event_id", uuid4())
    return _made(PromotionRequested, values, changes)


def label_set_changed(names: Mapping[str, str] | None = None, **changes: Any) -> LabelSetChanged:
    """Return the first change of the classes, after which these labels have these names."""
    called = {"dandelion": "dandelion", "grass": "grass", "moss": "moss"} if names is None else names
    values = {
        "model_name": MODEL,
        "revision": 1,
        "classes": [LabelClass(id=label, name=name) for label, name in called.items()],
        "change": "added",
        "class_id": list(called)[-1],
        "changed_by": "olga",
    }
    changes.setdefault("event_id", uuid4())
    return _made(LabelSetChanged, values, changes)


def prediction_requested(**changes: Any) -> PredictionRequested:
    """Return the request for one image of a batch of one, whose bytes are in the object store."""
    values = _of_batch(changes)
    if "url" not in changes and "image_id" not in changes:
        sha256: str = changes.get("sha256") or _hash()
        values |= {"sha256": sha256, "object_key": f"predictions/{sha256[:2]}/{sha256}"}
    return _made(PredictionRequested, values, changes, "prediction_id")


def prediction_completed(**changes: Any) -> PredictionCompleted:
    """Return the answer about one image of a batch of one, unless a refusal is given."""
    values = _of_batch(changes)
    if "refusal" not in changes:
        values["answer"] = BatchAnswer(
            label="dandelion",
            probabilities={"dandelion": 0.9, "grass": 0.1},
            model_version="fast-2f6c",
            sequence=7,
            sha256=_hash(),
            milliseconds=4.125,
            replica="predictor-batches",
        )
    return _made(PredictionCompleted, values, changes, "prediction_id")


def _of_batch(changes: dict[str, Any]) -> dict[str, Any]:
    batch_id, index = changes.get("batch_id") or uuid4(), changes.get("index", 0)
    return {
        "batch_id": batch_id,
        "index": index,
        "batch_size": 1,
        "prediction_id": prediction_id_of(batch_id, index),
    }
