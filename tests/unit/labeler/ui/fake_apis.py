"""Fakes of the labeler's and the predictor's API as the pages see them: requests in, responses out."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import httpx2

from shared.clients.answers import ChampionView, DriftView, LiveAccuracy, PromotionView, Session
from shared.clients.lineage import ImageStory
from shared.clients.withdrawals import Withdrawal
from shared.contract.roles import Role
from shared.imaging.rendition import MEDIA_TYPE, render
from shared.testing.events import NOON

from .fake_classes import FakeClasses
from .fake_images import PICTURE, Image
from .fake_listing import FakeListing
from .fake_live import FakeLive
from .fake_models import FakeModels
from .fake_people import FakePeople
from .fake_queues import FakeQueues
from .fake_sign_on import FakeSignOn

TOKEN = "anna's token"
_FILE_NAME = re.compile(rb'filename="([^"]*)"')
_URL, _LABEL = (re.compile(rb'name="%s"\r\n\r\n([^\r]*)' % name) for name in (b"url", b"label"))
FIRST_MODEL_WAITS_FOR = "The first model needs 20 images of each label."


def problem(status: int, error: str, detail: str, **facts: object) -> httpx2.Response:
    """Return the answer of an API that refuses."""
    return httpx2.Response(status, json={"error": error, "detail": detail, **facts})


@dataclass
class FakeApis:
    """The labeler and the predictor. `uploads` are the names of the files and the addresses that were sent, with their
    labels; of some names `known` is the image that has the bytes, `refused` the reason. `log_down`: commands are 503.
    `live_in`: the model that corrections go live in. `failing`: paths with this ending are 500. `behind`: the corrected
    image behind each prediction. `seconds`: how long each label takes."""

    images: dict[UUID, Image] = field(default_factory=dict)
    queue: list[UUID] = field(default_factory=list)
    version: str = "full-1"
    share: float = 0.8
    live_in: str | None = "fast-1"
    log_down: bool = False
    slow: bool = False
    refusing_uploads: str = ""
    uploads: list[tuple[str, str | None]] = field(default_factory=list)
    known: dict[str, UUID] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
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
    labels: tuple[str, ...] = ("dandelion", "grass")
    seconds: float = 0.0
    keys: list[str] = field(default_factory=list)
    answered: dict[str, httpx2.Response] = field(default_factory=dict)
    published: list[dict[str, Any]] = field(default_factory=list)
    people: FakePeople = field(default_factory=FakePeople)
    queues: FakeQueues = field(default_factory=FakeQueues)
    models: FakeModels | None = None
    near: list[UUID] = field(default_factory=list)
    listing: FakeListing = field(default_factory=FakeListing)
    going_on: FakeLive = field(default_factory=FakeLive)
    classes: FakeClasses = field(default_factory=FakeClasses)
    sign_on: FakeSignOn = field(default_factory=FakeSignOn)

    def add(self, **facts: Any) -> Image:
        """Add a stored image that waits for review."""
        image = Image(**facts)
        self.images[image.image_id] = image
        self.queue.append(image.image_id)
        return image

    def labeler(self, request: httpx2.Request) -> httpx2.Response:
        """Answer as the labeler's API."""
        parts = request.url.path.strip("/").split("/")
        if parts[0] == "login":
            return self._login(request)
        if self.logged_out or TOKEN not in request.headers.get("Authorization", ""):
            return problem(401, "unauthorised", "The session has ended. Log in again.")
        if self.failing and parts[-1] == self.failing:
            return problem(500, "internal_error", "Something is wrong in the labeler.")
        if self.models is not None and parts[0] in ("models", "trainings"):
            return self.models.answer(request, parts)
        if parts[0] in ("people", "me"):
            return self.people.answer(request)
        if parts[0] in ("stories", "parts", "dead-letters", "webhooks"):
            return self.going_on.answer(request, self.images)
        if parts[0] == "review":
            return self._review(request)
        answers: dict[tuple[str, ...], Callable[[], httpx2.Response]] = {
            ("labels",): lambda: self.classes.labels(self.labels),
            ("classes", *parts[1:]): lambda: self.classes.answer(request, self.labels),
            ("models", "first"): lambda: httpx2.Response(200, json={"waits_for": FIRST_MODEL_WAITS_FOR}),
            ("models", "champion"): self._champion,
            ("conflicts",): lambda: httpx2.Response(200, json=self.conflicts),
            ("quarantine",): self._quarantine,
        }
        if tuple(parts) in answers:
            return answers[tuple(parts)]()
        return self._of_images(request, parts)

    def _of_images(self, request: httpx2.Request, parts: list[str]) -> httpx2.Response:
        if parts == ["images"]:
            return self.listing.answer(request, self.images) if request.method == "GET" else self._upload(request)
        if parts == ["images", "labels"]:
            return self.listing.label(request, self.images, self.log_down)
        if (image := self.images.get(UUID(parts[1]))) is None:
            return problem(404, "image_unknown", "There is no such image.")
        if parts[2:] in (["content"], ["rendition"]) and (self.no_content or not image.picture):
            return problem(404, "object_missing", "The bytes are gone.")
        if parts[2:] == ["content"]:
            return httpx2.Response(200, content=image.picture)
        if parts[2:] == ["rendition"]:
            picture = render(image.picture, int(request.url.params["w"]))
            return httpx2.Response(200, content=picture, headers={"Content-Type": MEDIA_TYPE})
        of_image: dict[str, Callable[[], httpx2.Response]] = {
            "history": lambda: httpx2.Response(200, json=image.history),
            "similar": lambda: self._similar(image),
            "story": lambda: httpx2.Response(200, json=self._story(image)),
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
            return problem(401, "unauthorised", "This key is not known here.")
        if not self.version:
            detail = "No model has been promoted and loaded yet. Ask again when /readyz is green; /health says more."
            return problem(503, "no_model", detail)
        if request.url.path == "/model":
            return httpx2.Response(200, json=self._serving_model())
        if self.refusing_predictions:
            return problem(422, "truncated", self.refusing_predictions)
        answer: dict[str, object] = self._said(self.share) | {
            "model_sequence": 1,
            "milliseconds": 3.0,
            "trace_id": None,
            "sha256": sha256(PICTURE).hexdigest(),
            "replica": "0",
            "corrections": [{"image_id": str(self.behind), "weight": 0.5}] if self.behind else [],
        }
        return httpx2.Response(200, json=answer)

    def _said(self, share: float) -> dict[str, object]:
        first, second, *_ = self.labels
        return {
            "label": first if share >= 0.5 else second,
            "probabilities": {first: share, second: 1 - share},
            "model_version": self.version,
            "prediction_id": str(uuid4()),
        }

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
            return problem(404, "model_unknown", "No model has been promoted yet.")
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

    def _login(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path != "/login":
            name = self.sign_on.answer(request)
            if not isinstance(name, str):
                return name
        else:
            body = json.loads(request.content)
            if body["password"] != "right":
                return problem(401, "unauthorised", "The name or the password is wrong.")
            name = body["name"]
        self.logged_out = False
        return httpx2.Response(200, json=session(name, f"{TOKEN} {uuid4()}").model_dump(mode="json"))

    def _review(self, request: httpx2.Request) -> httpx2.Response:
        doubtful = [image_id for image_id in self.queue if not self.images[image_id].decided]
        revisions = {image_id: image.revision for image_id, image in self.images.items()}
        return self.queues.answer(request, doubtful, revisions, self._item)

    def _item(self, image_id: UUID) -> dict[str, Any]:
        image = self.images[image_id]
        return {
            "image_id": str(image.image_id),
            "label": image.label,
            "revision": image.revision,
            "trust": image.trust,
            "prediction": self._answer(image),
            "quarantined": image.image_id in self.quarantined,
        }

    def _answer(self, image: Image) -> dict[str, Any] | None:
        if image.answer is None:
            return None
        best = max(image.answer, key=image.answer.__getitem__)
        answer = {"prediction_id": str(uuid4()), "label": best, "probabilities": image.answer}
        return answer | {"model_version": self.version}

    def _similar(self, image: Image) -> httpx2.Response:
        self.asked_similar.append(image.image_id)
        items = [
            {"image_id": str(each), "cosine": 0.8, "label": self.images[each].label, "prediction": None}
            for each in self.similar
        ]
        return httpx2.Response(200, json={"items": items, "why_none": "" if items else "There is none."})

    def _withdraw(self, request: httpx2.Request, image: Image) -> httpx2.Response:
        if self.log_down:
            return problem(503, "unavailable", "The log is away.")
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
            return problem(422, "not_an_image", self.refusing_uploads)
        name, label = _named(request)
        self.uploads.append((name, label))
        self.keys.append(request.headers["Idempotency-Key"])
        if name in self.refused:
            return problem(422, "not_an_image", self.refused[name])
        if name in self.known:
            return httpx2.Response(200, json=self._uploaded(self.images[self.known[name]], known=True))
        image = self.add(state="registered" if self.slow else "stored", label=label, share=self.share)
        if self.slow:
            return httpx2.Response(202, json={"event_id": str(uuid4()), "image_id": str(image.image_id)})
        return httpx2.Response(201, json=self._uploaded(image))

    def _uploaded(self, image: Image, known: bool = False) -> dict[str, Any]:
        digest, image_id = sha256(PICTURE).hexdigest(), str(image.image_id)
        body = {"image_id": image_id, "state": "stored", "sha256": digest, "label": image.label}
        return body | {"revision": image.revision, "duplicate_of": image_id if known else None}

    def _label(self, request: httpx2.Request, image: Image) -> httpx2.Response:
        time.sleep(self.seconds)
        if self.log_down:
            return _unavailable()
        correction = json.loads(request.content)
        if (known := self.answered.get(request.headers["Idempotency-Key"])) is not None:
            return known
        if correction["revision"] != image.revision:
            detail = f"berta was first: the label is {image.label} now (revision {image.revision})."
            facts = {"label": image.label, "revision": image.revision, "corrected_by": "berta"}
            return problem(409, "superseded", detail, **facts)
        if (voted := self.queues.vote(request, image.image_id)) is not None:
            return voted
        self.keys.append(request.headers["Idempotency-Key"])
        self.published.append(correction)
        event_id = str(uuid4())
        before, image.label, image.revision = image.label, correction["label"], correction["revision"] + 1
        if correction.get("no_label") == "withdrawn":
            image.label, image.decided = image.before.pop(), image.decided - 1
        else:
            image.before.append(before)
            image.decided += 1
        image.history.append(self._entry(image, before, event_id) | {"label_to": correction["label"]})
        image.history[-1]["no_label"] = correction.get("no_label")
        self.version = self.live_in or self.version
        if self.slow:
            return httpx2.Response(202, json={"event_id": event_id, "image_id": str(image.image_id)})
        body = {"image_id": str(image.image_id), "label": image.label, "revision": image.revision}
        answer = httpx2.Response(200, json={**body, "event_id": event_id, "state": "applied"})
        return self.answered.setdefault(request.headers["Idempotency-Key"], answer)

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

    def _story(self, image: Image) -> dict[str, Any]:
        gone = {"withdrawn_by": "olga", "reason": "The owner asks.", "withdrawn_at": NOON, "serving": None}
        gone |= {"image_id": image.image_id, "event_id": uuid4(), "seen_by": ["full-1"], "held_by": []}
        story = ImageStory(
            image_id=image.image_id,
            side="train",
            duplicates=[],
            near_duplicates=self.near,
            models=[],
            holding=0,
            withdrawal=Withdrawal.model_validate(gone) if image.state == "withdrawn" else None,
        )
        return story.model_dump(mode="json")

    def _shown(self, image: Image) -> dict[str, Any]:
        return self._facts(image) | image.facts

    def _facts(self, image: Image) -> dict[str, Any]:
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
            "prediction": None if image.share is None else self._said(image.share),
            "joins": [each["side"] for each in self.quarantined.get(image.image_id, [])],
            "resembles": self.quarantined.get(image.image_id, []),
        }


def _named(request: httpx2.Request) -> tuple[str, str | None]:
    """Return the name of the file, or the address, in the form of an upload, and its label."""
    found = [re.search(pattern, request.content) for pattern in (_FILE_NAME, _URL, _LABEL)]
    file_name, url, label = [each[1].decode() if each else None for each in found]
    return file_name or url or "", label


def _unavailable() -> httpx2.Response:
    return httpx2.Response(
        503, json={"error": "unavailable", "detail": "The log is unavailable."}, headers={"Retry-After": "2"}
    )


def session(name: str = "anna", token: str = TOKEN, role: Role | None = None) -> Session:
    role = role or ("operator" if name == "olga" else "labeler")
    return Session.model_validate(
        {"token": token, "name": name, "role": role, "expires_at": NOON + timedelta(days=36500)}
    )
