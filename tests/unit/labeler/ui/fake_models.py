"""A fake of the labeler's routes about models: a few versions, and an operator's requests to the gate."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2

from shared.clients.answers import (
    Accepted,
    Body,
    ChampionView,
    FirstModel,
    GateAnswer,
    LiveAccuracy,
    ModelView,
    PromotionView,
)
from shared.clients.model_history import (
    ComparedImage,
    CurvePoint,
    DataChange,
    DataDifference,
    Generation,
    LastLabels,
    LearnedFrom,
    LearningCurve,
    ModelComparison,
    PromotionPoint,
)
from shared.contract.events import ClassFigures, RuleOutcome, VerdictEvidence
from shared.contract.intervals import wilson_interval
from shared.testing.events import NOON

WAITS_FOR = "The first model needs 20 images of each label."


def promotion(sequence: int, route: str = "non_inferior", **changes: Any) -> PromotionView:
    """Return a promotion, a minute after the one before."""
    values = {
        "sequence": sequence,
        "route": route,
        "summary": "Promoted: it is no worse than the champion.",
        "verdict": [],
        "frozen": False,
        "requested_by": None,
        "promoted_at": NOON + timedelta(minutes=sequence),
    }
    return PromotionView.model_validate(values | changes)


def model(version: str, *sequences: int, accuracy: float = 0.9, **changes: Any) -> ModelView:
    """Return a model that was promoted under these numbers."""
    rules = [
        RuleOutcome(
            rule="accuracy",
            outcome="passed",
            sentence=f"{accuracy:.0%} of 60 test images are right; at least 70 % were needed.",
            figures={"accuracy": accuracy, "images": 60},
        ),
        RuleOutcome(rule="anchor", outcome="insufficient_evidence", sentence="There are few test images."),
    ]
    values: dict[str, Any] = {
        "version": version,
        "lane": version.split("-")[0],
        "parent": None,
        "state": "former" if sequences else "candidate",
        "sequence": sequences[-1] if sequences else None,
        "summary": "Promoted: it is no worse than the champion.",
        "verdict": rules,
        "metrics": {},
        "training_images": 240,
        "test_images": 60,
        "corrections": 0,
        "seconds": {},
        "trained_at": NOON + timedelta(minutes=sequences[0] if sequences else 99),
        "promoted_at": NOON + timedelta(minutes=sequences[-1]) if sequences else None,
        "promotions": [promotion(number) for number in sequences],
    }
    return ModelView.model_validate(values | changes)


def evidence_of(labels: tuple[str, ...]) -> VerdictEvidence:
    """Return evidence about these classes, with two mistakes in the first one."""
    size = len(labels)
    confusion = [[8 if truth == answer else 0 for answer in range(size)] for truth in range(size)]
    confusion[0][1] = 2
    classes = tuple(
        ClassFigures(label=label, images=sum(row), right=8, recall=8 / sum(row), low=0.49, high=0.94)
        for label, row in zip(labels, confusion, strict=True)
    )
    return VerdictEvidence(classes=classes, confusion=tuple(tuple(row) for row in confusion))


def curve_of(*labels: int, **step: Any) -> LearningCurve:
    """Return a curve over these numbers of labels, a point better each time, and what the last of them brought."""
    points = []
    for number, known in enumerate(labels):
        right = 210 + number
        low, high = wilson_interval(right, 240)
        facts = {"version": f"full-{number + 1}", "sequence": number + 1, "labels": known}
        shares = {"accuracy": right / 240, "low": low, "high": high}
        points.append(CurvePoint.model_validate({**facts, "images": 240, "right": right, **shares}))
    if len(points) < 2:
        return LearningCurve(
            points=points, last=None, why_none="From 20 new labels on, what they brought is shown here."
        )
    values = {"since": "full-1", "labels": labels[-1] - labels[0], "images": 240, "gained": 3, "lost": 1}
    values |= {"low": -0.011, "high": 0.032, "verdict": "open"} | step
    return LearningCurve(points=points, last=LastLabels.model_validate(values))


@dataclass
class FakeModels:
    """The models. `gained` and `lost`: what every comparison says. `rejecting`: the gate refuses with this sentence.
    `silent`: it does not answer in time."""

    models: list[ModelView] = field(default_factory=list)
    frozen: PromotionView | None = None
    gained: list[UUID] = field(default_factory=list)
    lost: list[UUID] = field(default_factory=list)
    changed: list[UUID] = field(default_factory=list)
    why_incomplete: str = ""
    curve: LearningCurve = field(default_factory=lambda: curve_of(240, 300, 360))
    rejecting: str = ""
    silent: bool = False
    down: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def answer(self, request: httpx2.Request, parts: list[str]) -> httpx2.Response:
        """Answer as the labeler's API does."""
        if request.method == "POST":
            return self._command(request, parts)
        match parts[1:]:
            case []:
                return _json(self.models)
            case ["first"]:
                return _json(FirstModel(waits_for=WAITS_FOR))
            case ["champion"]:
                return self._champion()
            case ["generations"]:
                full = [each for each in self.models if each.lane == "full"]
                return _json([self._generation(each) for each in full][: int(request.url.params["limit"])])
            case ["learning-curve"]:
                return _json(self.curve)
            case ["promotions"]:
                return _json(self._points())
            case [version, "versions"]:
                return _json([each for each in self.models if each.lane == "fast" and self._base(each) == version])
            case [version, "against", other]:
                return _json(self._comparison(version, other))
            case [version, "data-against", other]:
                return _json(self._difference(version, other))
            case [version]:
                return _json(found) if (found := self._find(version)) else _unknown()
            case _:
                return httpx2.Response(404, json={"error": "not_found", "detail": "There is no such route."})

    def _find(self, version: str | None) -> ModelView | None:
        return next((each for each in self.models if each.version == version), None)

    def _base(self, model: ModelView) -> str | None:
        parent = self._find(model.parent)
        return model.parent if parent is None or parent.lane == "full" else self._base(parent)

    def _generation(self, full: ModelView) -> Generation:
        on_it = [each for each in self.models if each.lane == "fast" and self._base(each) == full.version]
        served = sorted((each for each in on_it if each.sequence), key=lambda each: each.sequence or 0)
        rejected = sum(each.state == "rejected" for each in on_it)
        newest = served[-1] if served else None
        return Generation(model=full, versions=len(on_it), served=len(served), rejected=rejected, newest=newest)

    def _points(self) -> list[PromotionPoint]:
        points = [
            PromotionPoint(
                version=each.version,
                lane=each.lane,
                accuracy=each.accuracy,
                **one.model_dump(exclude={"verdict"}),
            )
            for each in self.models
            for one in each.promotions
        ]
        return sorted(points, key=lambda point: point.sequence)

    def _champion(self) -> httpx2.Response:
        found = next((each for each in self.models if each.state == "champion"), None)
        if found is None:
            return _unknown()
        live = LiveAccuracy(answers=40, agreed=38, share=0.95, low=0.835, high=0.986)
        shown = ChampionView(
            **found.model_dump(),
            frozen=self.frozen is not None,
            requested_by=None,
            freeze=self.frozen,
            live_since_full=live,
        )
        return _json(shown)

    def _comparison(self, version: str, other: str) -> ModelComparison:
        gained = [ComparedImage(image_id=each, label="grass") for each in self.gained]
        lost = [ComparedImage(image_id=each, label="dandelion") for each in self.lost]
        return ModelComparison(
            version=version, against=other, gained=gained, lost=lost, why_incomplete=self.why_incomplete
        )

    def _difference(self, version: str, other: str) -> DataDifference:
        before, after = LearnedFrom(label="dandelion", side="train"), LearnedFrom(label="grass", side="train")
        changes = [DataChange(image_id=each, before=before, after=after) for each in self.changed]
        return DataDifference(
            version=version, against=other, added=0, removed=0, relabelled=len(changes), changes=changes
        )

    def _command(self, request: httpx2.Request, parts: list[str]) -> httpx2.Response:
        body = json.loads(request.content)
        self.keys.append(request.headers["Idempotency-Key"])
        if self.down:
            return httpx2.Response(503, json={"error": "unavailable", "detail": "The log is away."})
        action = parts[1] if parts[0] == "models" else "train"
        if self.keys[-1] not in self.keys[:-1]:
            self.asked.append({"action": action, **body})
        if action == "train" or self.silent:
            return httpx2.Response(202, json=Accepted(event_id=uuid4()).model_dump(mode="json"))
        if self.rejecting:
            return _json(
                GateAnswer(outcome="rejected", version=body.get("version"), sequence=None, summary=self.rejecting)
            )
        summary = f"olga did {action}: {body['reason']}"
        return _json(GateAnswer(outcome="promoted", version=body.get("version"), sequence=9, summary=summary))


def some_models() -> list[ModelView]:
    """Return a champion with corrections, what it stands on, and a full model that was rejected, the newest first."""
    labels = ("dandelion", "grass")
    rejected = model(
        "full-2",
        accuracy=0.8,
        parent="fast-2",
        state="rejected",
        summary="Rejected: it has 3 test images less right than the champion.",
        evidence=evidence_of(labels),
    )
    champion = model(
        "fast-2", 3, accuracy=0.95, parent="fast-1", state="champion", corrections=2, evidence=evidence_of(labels)
    )
    return [
        rejected,
        champion,
        model("fast-1", 2, accuracy=0.925, parent="full-1", corrections=1, evidence=evidence_of(labels)),
        model("full-1", 1, accuracy=0.9, evidence=evidence_of(labels)),
    ]


def _json(body: Body | list[Any]) -> httpx2.Response:
    listed = [each.model_dump(mode="json") for each in body] if isinstance(body, list) else body.model_dump(mode="json")
    return httpx2.Response(200, json=listed)


def _unknown() -> httpx2.Response:
    return httpx2.Response(404, json={"error": "model_unknown", "detail": "There is no such model."})
