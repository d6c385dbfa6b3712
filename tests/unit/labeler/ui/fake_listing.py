"""A fake of the list of images and of bulk labels, as the Browse page sees them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx2

from shared.testing.events import NOON


@dataclass
class FakeListing:
    """`asked`: the parameters of each request, `sent` the body of each bulk correction with its key. `refusing`: ids
    that another person corrected first. A list has pages of `limit`; its cursors are the numbers of the first image.
    `copies`: what is said of the copies of each."""

    asked: list[dict[str, list[str]]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    refusing: set[UUID] = field(default_factory=set)
    limit: int = 60
    copies: dict[str, Any] = field(default_factory=dict)

    def answer(self, request: httpx2.Request, images: Mapping[UUID, Any]) -> httpx2.Response:
        """Answer GET /images: filtered by label only."""
        params = request.url.params
        asked = {name: params.get_list(name) for name in params}
        self.asked.append(asked)
        wanted = [each for each in images.values() if not asked.get("label") or each.label in asked["label"]]
        cursor = asked.get("cursor", ["0"])[0]
        if not cursor.isdigit():
            return httpx2.Response(422, json={"error": "invalid_cursor", "detail": "This cursor is damaged."})
        start = int(cursor)
        shown = wanted[start : start + self.limit]
        counts = {each.label for each in images.values() if each.label}
        facet = [{"value": label, "count": sum(i.label == label for i in images.values())} for label in sorted(counts)]
        body = {
            "items": [self._item(each) for each in shown],
            "start": start,
            "next": str(start + self.limit) if len(wanted) > start + self.limit else None,
            "previous": str(max(0, start - self.limit)) if start else None,
            "total": len(wanted),
            "more": False,
            "facets": {"label": facet, "by": [], "trust": [], "split": [], "flagged": [], "copies": []},
        }
        return httpx2.Response(200, json=body)

    def label(self, request: httpx2.Request, images: Mapping[UUID, Any], log_down: bool) -> httpx2.Response:
        """Answer POST /images/labels."""
        body = json.loads(request.content)
        self.sent.append(body | {"key": request.headers["Idempotency-Key"]})
        if log_down:
            return httpx2.Response(503, json={"error": "unavailable", "detail": "The log is unavailable."})
        items = []
        for item in body["items"]:
            image = images[UUID(item["image_id"])]
            if image.image_id in self.refusing:
                detail = "berta was first: the label is grass now."
                now = {"label": "grass", "revision": 1, "detail": detail}
                items.append({"image_id": item["image_id"], "outcome": "superseded", **now})
                continue
            image.label, image.revision = item.get("label"), item["revision"] + 1
            now = {"label": image.label, "revision": image.revision, "event_id": str(uuid4())}
            items.append({"image_id": item["image_id"], "outcome": "applied", **now})
        return httpx2.Response(200, json={"items": items})

    def _item(self, image: Any) -> dict[str, Any]:
        prediction = {
            "prediction_id": str(image.image_id),
            "label": "grass",
            "probabilities": {"grass": 0.8, "dandelion": 0.2},
            "model_version": "full-1",
        }
        return {
            "image_id": str(image.image_id),
            "name": f"<b>{image.image_id.hex[:4]}</b>.jpg",
            "stored_at": NOON.isoformat(),
            "label": image.label,
            "revision": image.revision,
            "trust": image.trust,
            "no_label": None,
            "decided_by": "anna",
            "decided_at": NOON.isoformat(),
            "split": "training",
            "sha256": "a" * 64,
            "width": 10,
            "height": 10,
            "prediction": prediction,
            **self.copies,
        }
