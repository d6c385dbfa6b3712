"""Fakes of the labeler's and the predictor's API as the pages see them: requests in, responses out."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import httpx2

from shared.clients.answers import ChampionView, DriftView, LiveAccuracy, PromotionView, Session
from shared.clients.withdrawals import Withdrawal
from shared.imaging.rendition import render
from shared.testing.events import NOON

PICTURE = bytes.fromhex(  # the smallest PNG: one pixel
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
TOKEN = "anna's token"
FIRST_MODEL_WAITS_FOR = "The first model needs 20 images of each label."


@dataclass
class Image:
    """An image in the fake labeler."""

    image_id: UUID = field(default_factory=uuid4)
    label: str | None = None
    revision: int = 0
    trust: str = "claimed"
    state: str = "stored"
    history: list[dict[str, Any]] = field(default_factory=list)
    decided: int = 0
    before: list[str | None] = field(default_factory=list)


def drift_view(**changes: Any) -> DriftView:
    """Return an open drift of the pictures."""
    values = {
        "event_id": uuid4(),
        "statistic": "features",
        "model_version": "full-1",
        "detected_at": NOON,
        "window_from": NOON,
        "answers": 31,
        "value": 66.4,
        "threshold": 61.8,
        "figures": {},
        "open": True,
    }
    return DriftView.model_validate(values | changes)


@dataclass
class FakeApis:
    """The labeler and the predictor. `log_down`: commands are 503. `live_in`: the model that corrections go live in.
    `failing`: paths with this ending are 500. `behind`: the corrected image behind each prediction."""

    images: dict[UUID, Image] = field(default_factory=dict)
    queue: list[UUID] = field(default_factory=list)
    version: str = "full-1"
    share: float = 0.8
    live_in: str | None = "fast-1"
    log_down: bool = False
    slow: bool = False
    refusing_uploads: str = ""
    logged_out: bool = False
    no_content: bool = False
    failing: str = ""
    behind: UUID | None = None
    frozen_by: str = ""
    drifts: list[DriftView] = field(default_factory=list)
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    similar: list[UUID] = field(default_factory=list)
    asked_similar: list[UUID] = field(default_factory=list)
    quarantined: dict[UUID, list[dict[str, Any]]] = field(default_factory=dict)
    live: LiveAccuracy | None = None
    refusing_predictions: str = ""
    predictor_key: str = ""
    labels: tuple[str, str] = ("dandelion", "grass")
    keys: list[str] = field(default_factory=list)
    published: list[dict[str, Any]] = field(default_factory=list)

    def add(self, **facts: Any) -> Image:
        """Add a stored image that waits for review."""
        image = Image(**facts)
        self.images[image.image_id] = image
        self.queue.append(image.image_id)
        return image

    def labeler(self, request: httpx2.Request) -> httpx2.Response:
        """Answer as the labeler's API."""
        parts = request.url.path.strip("/").split("/")
        if parts == ["login"]:
            return self._login(json.loads(request.content))
        if self.logged_out or TOKEN not in request.headers.get("Authorization", ""):
            return httpx2.Response(
                401, json={"error": "unauthorised", "detail": "The session has ended. Log in again."}
            )
        if self.failing and parts[-1] == self.failing:
            return httpx2.Response(
                500, json={"error": "internal_error", "detail": "Something is wrong in the labeler."}
            )
        answers: dict[tuple[str, ...], Callable[[], httpx2.Response]] = {
            ("labels",): lambda: httpx2.Response(200, json={"labels": self.labels, "model_name": "plants"}),
            ("models", "first"): lambda: httpx2.Response(200, json={"waits_for": FIRST_MODEL_WAITS_FOR}),
            ("models", "champion"): self._champion,
            ("review",): self._review,
            ("conflicts",): lambda: httpx2.Response(200, json=self.conflicts),
            ("quarantine",): self._quarantine,
        }
        if tuple(parts) in answers:
            return answers[tuple(parts)]()
        if parts == ["images"]:
            return self._upload(request)
        image = self.images[UUID(parts[1])]
        if parts[2:] in (["content"], ["rendition"]) and self.no_content:
            return httpx2.Response(404, json={"error": "object_missing", "detail": "The bytes are gone."})
        if parts[2:] == ["content"]:
            return httpx2.Response(200, content=PICTURE)
        if parts[2:] == ["rendition"]:
            return httpx2.Response(200, content=render(PICTURE, int(request.url.params["w"])))
        of_image: dict[str, Callable[[], httpx2.Response]] = {
            "history": lambda: httpx2.Response(200, json=image.history),
            "similar": lambda: self._similar(image),
            "withdraw": lambda: self._withdraw(request, image),
            "label": lambda: self._label(request, image),
            "": lambda: httpx2.Response(200, json=self._shown(image)),
        }
        return of_image["".join(parts[2:])]()

    def quarantine(self, *sides: str) -> Image:
        """Add a quarantined image that resembles an image of each of these sides."""
        image = self.add(label="grass")
        groups = [{"side": side, "count": 1, "images": [str(self.add().image_id)]} for side in sides]
        self.quarantined[image.image_id] = groups
        return image

    def _quarantine(self) -> httpx2.Response:
        kept = [self.images[image_id] for image_id in self.quarantined]
        shown = [self._shown(image) for image in kept if image.state == "stored"]
        return httpx2.Response(200, json=shown)

    def predictor(self, request: httpx2.Request) -> httpx2.Response:
        """Answer as the predictor's API."""
        if self.predictor_key and request.headers.get("Authorization") != f"Bearer {self.predictor_key}":
            return httpx2.Response(401, json={"error": "unauthorised", "detail": "This key is not known here."})
        if not self.version:
            detail = "No model has been promoted and loaded yet. Ask again when /readyz is green; /health says more."
            return httpx2.Response(503, json={"error": "no_model", "detail": detail})
        if request.url.path == "/model":
            return httpx2.Response(200, json=self._serving_model())
        if self.refusing_predictions:
            return httpx2.Response(422, json={"error": "truncated", "detail": self.refusing_predictions})
        share, (first, second) = self.share, self.labels
        answer: dict[str, object] = {
            "label": first if share >= 0.5 else second,
            "probabilities": {first: share, second: 1 - share},
            "model_version": self.version,
            "model_sequence": 1,
            "prediction_id": str(uuid4()),
            "milliseconds": 3.0,
            "trace_id": None,
            "sha256": sha256(PICTURE).hexdigest(),
            "replica": "0",
            "corrections": [{"image_id": str(self.behind), "weight": 0.5}] if self.behind else [],
        }
        return httpx2.Response(200, json=answer)

    def _serving_model(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "sequence": 1,
            "labels": ["dandelion", "grass"],
            "artefact_sha256": "0" * 64,
            "loaded_at": NOON.isoformat(),
            "replica": "0",
        }

    def _champion(self) -> httpx2.Response:
        if not self.frozen_by and not self.drifts:
            return httpx2.Response(404, json={"error": "model_unknown", "detail": "No model has been promoted yet."})
        freeze = PromotionView(
            sequence=2,
            route="freeze",
            summary=self.frozen_by,
            verdict=[],
            frozen=True,
            requested_by="olga",
            promoted_at=NOON,
        )
        needed = [name for name, field in ChampionView.model_fields.items() if field.is_required()]
        values = dict.fromkeys(needed) | {"version": "full-1", "lane": "full", "state": "champion"}
        values |= {"sequence": 2, "summary": "", "verdict": [], "metrics": {}, "corrections": 0, "seconds": {}}
        values |= {"promotions": [freeze], "frozen": bool(self.frozen_by), "freeze": freeze if self.frozen_by else None}
        values |= {"drifts": self.drifts, "live_since_full": self.live}
        return httpx2.Response(200, json=ChampionView.model_validate(values).model_dump(mode="json"))

    def _login(self, body: dict[str, str]) -> httpx2.Response:
        if body["password"] != "right":
            return httpx2.Response(401, json={"error": "unauthorised", "detail": "The name or the password is wrong."})
        self.logged_out = False
        return httpx2.Response(200, json=session(body["name"], f"{TOKEN} {uuid4()}").model_dump(mode="json"))

    def _review(self) -> httpx2.Response:
        waiting = [self.images[image_id] for image_id in self.queue if not self.images[image_id].decided]
        items = [
            {
                "image_id": str(image.image_id),
                "label": image.label,
                "revision": image.revision,
                "trust": image.trust,
                "prediction": None,
                "reason": "It has no label yet.",
                "quarantined": image.image_id in self.quarantined,
            }
            for image in waiting
        ]
        return httpx2.Response(200, json={"items": items, "waiting": len(items)})

    def _similar(self, image: Image) -> httpx2.Response:
        self.asked_similar.append(image.image_id)
        items = [
            {"image_id": str(each), "cosine": 0.8, "label": self.images[each].label, "prediction": None}
            for each in self.similar
        ]
        return httpx2.Response(200, json={"items": items, "why_none": "" if items else "There is none."})

    def _withdraw(self, request: httpx2.Request, image: Image) -> httpx2.Response:
        if self.log_down:
            return httpx2.Response(503, json={"error": "unavailable", "detail": "The log is away."})
        image.state = "withdrawn"
        self.queue = [each for each in self.queue if each != image.image_id]
        self.published.append({"withdrawn": str(image.image_id), **json.loads(request.content)})
        done = {"image_id": image.image_id, "event_id": uuid4(), "withdrawn_by": "olga", "reason": "", "held_by": []}
        done |= {"withdrawn_at": NOON, "seen_by": ["full-1"], "serving": "full-1"}
        return httpx2.Response(200, json=Withdrawal.model_validate(done).model_dump(mode="json"))

    def _upload(self, request: httpx2.Request) -> httpx2.Response:
        if self.log_down:
            return _unavailable()
        if self.refusing_uploads:
            return httpx2.Response(422, json={"error": "not_an_image", "detail": self.refusing_uploads})
        image = self.add(state="registered" if self.slow else "stored")
        self.keys.append(request.headers["Idempotency-Key"])
        if self.slow:
            return httpx2.Response(202, json={"event_id": str(uuid4()), "image_id": str(image.image_id)})
        digest = sha256(PICTURE).hexdigest()
        body = {"image_id": str(image.image_id), "state": "stored", "sha256": digest, "label": None, "revision": 0}
        return httpx2.Response(201, json=body)

    def _label(self, request: httpx2.Request, image: Image) -> httpx2.Response:
        if self.log_down:
            return _unavailable()
        correction = json.loads(request.content)
        if correction["revision"] != image.revision:
            detail = f"berta was first: the label is {image.label} now (revision {image.revision})."
            facts = {"label": image.label, "revision": image.revision, "corrected_by": "berta"}
            return httpx2.Response(409, json={"error": "superseded", "detail": detail, **facts})
        self.keys.append(request.headers["Idempotency-Key"])
        self.published.append(correction)
        event_id = str(uuid4())
        before, image.label, image.revision = image.label, correction["label"], correction["revision"] + 1
        if correction["no_label"] == "withdrawn":
            image.label, image.decided = image.before.pop(), image.decided - 1
        else:
            image.before.append(before)
            image.decided += 1
        image.history.append(self._entry(image, before, event_id) | {"label_to": correction["label"]})
        image.history[-1]["no_label"] = correction["no_label"]
        self.version = self.live_in or self.version
        if self.slow:
            return httpx2.Response(202, json={"event_id": event_id, "image_id": str(image.image_id)})
        body = {"image_id": str(image.image_id), "label": image.label, "revision": image.revision}
        return httpx2.Response(200, json={**body, "event_id": event_id, "state": "applied"})

    def _entry(self, image: Image, before: str | None, event_id: str) -> dict[str, Any]:
        return {
            "event_id": event_id,
            "revision": image.revision,
            "label_from": before,
            "label_to": image.label,
            "corrected_by": "anna",
            "occurred_at": NOON.isoformat(),
            "reason": "",
            "shown_model_version": None,
            "shown_label": None,
            "state": "applied",
            "live_in": self.live_in,
            "live_at": NOON.isoformat() if self.live_in else None,
            "set_aside": None,
        }

    def _shown(self, image: Image) -> dict[str, Any]:
        return {
            "image_id": str(image.image_id),
            "state": image.state,
            "label": image.label,
            "revision": image.revision,
            "trust": image.trust,
            "sha256": None,
            "width": None,
            "height": None,
            "source": "upload",
            "registered_by": "anna",
            "corrected_by": None,
            "attempt": 1,
            "joins": [each["side"] for each in self.quarantined.get(image.image_id, [])],
            "resembles": self.quarantined.get(image.image_id, []),
        }


def _unavailable() -> httpx2.Response:
    return httpx2.Response(
        503, json={"error": "unavailable", "detail": "The log is unavailable."}, headers={"Retry-After": "2"}
    )


def session(name: str = "anna", token: str = TOKEN) -> Session:
    role = "operator" if name == "olga" else "labeler"
    return Session.model_validate(
        {"token": token, "name": name, "role": role, "expires_at": NOON + timedelta(days=36500)}
    )
