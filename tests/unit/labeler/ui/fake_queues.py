"""A fake of the labeler's routes of Review."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx2

from services.labeler.decisions.queue_reasons import TO_VOTE
from shared.clients.review import QUEUES

Describe = Callable[[UUID], dict[str, Any]]


@dataclass
class FakeQueues:
    """The queues. `holding`: the images of all but the first; `skipped`: what anna left for later, with the revision
    that she saw; `asks`: the question about her decisions, `answered` her answers. `voting`: labels are votes, and
    `votes` those of her that stand."""

    holding: dict[str, list[UUID]] = field(default_factory=dict)
    reasons: dict[UUID, str] = field(default_factory=dict)
    skipped: dict[UUID, int] = field(default_factory=dict)
    asks: dict[str, Any] | None = None
    answered: list[str] = field(default_factory=list)
    filters: dict[str, dict[str, Any]] = field(default_factory=dict)
    leased: list[dict[str, Any]] = field(default_factory=list)
    voting: bool = False
    votes: dict[UUID, dict[str, Any]] = field(default_factory=dict)

    def answer(
        self, request: httpx2.Request, doubtful: Sequence[UUID], revisions: Mapping[UUID, int], describe: Describe
    ) -> httpx2.Response:
        """Answer a request. `doubtful`: the images that no person has decided about; `revisions`: of all images."""
        body = json.loads(request.content or b"{}")
        waiting = {each: [*self._waiting(each, doubtful, revisions)] for each in QUEUES}
        if request.url.path == "/review/queues":
            counts = [{"queue": each, "waiting": len(found)} for each, found in waiting.items()]
            left_out = ("filter",) if self.voting else ("filter", "to_vote")
            counts = [each for each in counts if each["queue"] not in left_out]
            return httpx2.Response(200, json={"queues": counts, "filters": [*self.filters.values()]})
        if request.url.path.startswith("/review/filters"):
            self.filters.pop(body.get("name", ""), None)
            if body and not request.url.path.endswith("forget"):
                self.filters[body["name"]] = body
            return httpx2.Response(200, json=[*self.filters.values()])
        if request.url.path == "/review/skipped":
            self.skipped.pop(UUID(body["image_id"]), None)
            if body["later"]:
                self.skipped[UUID(body["image_id"])] = body["revision"]
            return httpx2.Response(200, json={"skipped": len(self.skipped)})
        if request.url.path == "/review/double-check":
            self.answered.append(body["asked_about"])
            self.asks = None
            return httpx2.Response(200, json={"answered_until": body["asked_about"]})
        self.leased.append(body)
        found = waiting[body.get("queue", "doubtful")]
        items = [describe(each) | {"reason": self.reasons.get(each, "It has no label yet.")} for each in found]
        if self.voting:
            items = [item | {"prediction": None, "reason": TO_VOTE} for item in items]
        known = {"items": items, "waiting": len(items), "skipped": len(waiting["my_skipped"])}
        return httpx2.Response(200, json=known | {"double_check": self.asks, "blind": self.voting})

    def vote(self, request: httpx2.Request, image_id: UUID) -> httpx2.Response | None:
        """Answer a label that is a vote; None if it is none."""
        if not self.voting:
            return None
        said = json.loads(request.content)
        self.votes[image_id] = said
        if said.get("no_label") == "withdrawn":
            del self.votes[image_id]
        told = {name: said.get(name) for name in ("label", "no_label", "revision")}
        return httpx2.Response(200, json=told | {"image_id": str(image_id), "event_id": str(uuid4()), "state": "voted"})

    def _waiting(self, queue: str, doubtful: Sequence[UUID], revisions: Mapping[UUID, int]) -> Sequence[UUID]:
        skipped = [each for each, revision in self.skipped.items() if revisions[each] == revision]
        if queue == "my_skipped":
            return skipped
        held = doubtful if queue == "doubtful" else self.holding.get(queue, [])
        return [each for each in held if each not in skipped and each not in self.votes]
