"""A fake of the labeler's routes about what goes on, as the Live page sees them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2

from shared.clients.live import (
    DeadLettersOf,
    GroupView,
    LiveAnswer,
    LiveDecision,
    LiveStory,
    PartsView,
    PartView,
    RedriveOutcome,
    ReplicaView,
)
from shared.clients.webhooks import WebhookView
from shared.testing.events import NOON

LETTERS = DeadLettersOf(
    topic="image.stored",
    group="predictor-worker",
    count=3,
    redriven=1,
    newest="image.stored.dlq/0/2",
    when="2026-05-04 12:00:00",
    reasons=["3 x InvalidMessage: [a link](http://elsewhere) is no image"],
)
STOPPED = WebhookView(
    webhook_id=UUID(int=7),
    url="https://example.org/hook",
    types=[],
    made_by="olga",
    made_at=NOON,
    delivered=41,
    failures=12,
    stopped_at=NOON,
    last_error="It answered 500.",
)


@dataclass
class FakeLive:
    """`waiting`: how many events wait for the predictor's worker; `stopped`: whether it does not run. `rehearsals`: the
    questions what a redrive would do; `resumed`: the paths of requests to let a webhook go on."""

    waiting: int = 0
    stopped: bool = False
    letters: list[DeadLettersOf] = field(default_factory=lambda: [LETTERS])
    rehearsals: list[dict[str, str]] = field(default_factory=list)
    why_unknown: str = ""
    replicas: list[ReplicaView] = field(default_factory=list)
    idle: str = ""
    webhooks: list[WebhookView] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)

    def answer(self, request: httpx2.Request, images: Mapping[UUID, Any]) -> httpx2.Response:
        """Answer a request about what goes on."""
        path = request.url.path
        if path == "/stories":
            return _json([story(image) for image in images.values()])
        if path == "/parts":
            worker = GroupView(
                name="predictor-worker",
                service="predictor",
                members=int(not self.stopped),
                waiting=self.waiting,
                idle=self.idle,
            )
            groups = [] if self.why_unknown else [worker]
            parts = [PartView(name="projection labeler", ok=True, detail="")]
            return _json(
                PartsView(groups=groups, parts=parts, why_unknown=self.why_unknown, replicas=tuple(self.replicas))
            )
        if path == "/dead-letters":
            return _json(self.letters)
        if path == "/webhooks":
            return _json(self.webhooks)
        if path.startswith("/webhooks/"):
            self.resumed.append(path)
            return _json(self.webhooks.pop())
        self.rehearsals.append(dict(request.url.params))
        outcomes = ("would be redriven", "would be redriven", "was redriven before")
        return _json(
            [
                RedriveOutcome(ids=[f"{n}"], place=f"image.stored[0]@{n}", outcome=each)
                for n, each in enumerate(outcomes)
            ]
        )


def story(image: Any) -> LiveStory:
    """Return the story of a fake image: it was stored and answered, and its label corrected if it has one."""
    decision = LiveDecision(
        revision=1,
        by="berta",
        at=NOON + timedelta(minutes=4),
        label_before="grass",
        label=image.label,
        no_label=None,
        live_in="fast-1",
        promotion=7,
        live_at=NOON + timedelta(minutes=4, seconds=0.8),
    )
    answer = LiveAnswer(label="grass", confidence=0.63, model_version="full-1", promotion=6, answered_at=NOON)
    return LiveStory(
        image_id=image.image_id,
        name="meadow_*2*.jpg",
        came_at=NOON,
        came_from="anna",
        stored_at=NOON + timedelta(seconds=0.3),
        answer=answer,
        decisions=[decision] if image.label else [],
    )


def _json(body: Any) -> httpx2.Response:
    shown = [each.model_dump(mode="json") for each in body] if isinstance(body, list) else body.model_dump(mode="json")
    return httpx2.Response(200, json=shown)
