"""A correction as a page handles it: sent, kept when it could not be sent, taken back, and watched until it is live."""

import time
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID, uuid4

from services.labeler.ui import messages as words
from services.labeler.ui.clients import Answer, Declined, LabelerClient, LoggedOut, PendingCorrection, SomebodyWasFirst
from services.labeler.ui.metrics import CORRECTIONS
from services.labeler.views import HistoryEntry, ShownPrediction
from shared.runtime.errors import TransientError

FOLLOW_SECONDS = 30.0


@dataclass(frozen=True)
class Sent:
    """What became of a wish.

    applied: `revision` is its own. accepted: on its way. kept: something is away (or the session has ended:
    `logged_out`), send it again. overtaken: `label` and `revision` are somebody else's. declined: it makes no sense.
    `detail` says it to the person.
    """

    wish: PendingCorrection
    outcome: Literal["applied", "accepted", "kept", "overtaken", "declined"]
    detail: str = ""
    event_id: UUID | None = None
    label: str | None = None
    revision: int | None = None
    logged_out: bool = False


def new_key() -> str:
    """A fresh idempotency key."""
    return str(uuid4())


def wished(
    image_id: UUID, label: str, label_before: str | None, revision: int, shown: Answer | ShownPrediction | None
) -> PendingCorrection:
    """A new wish: this label for an image that was seen at `revision` with `label_before`, and what the person was
    `shown` by the model, None for nothing."""
    return PendingCorrection(
        image_id=image_id,
        label=label,
        label_before=label_before,
        revision=revision,
        key=new_key(),
        prediction_id=shown.prediction_id if shown else None,
        shown_model_version=shown.model_version if shown else None,
        shown_label=shown.label if shown else None,
    )


def send(client: LabelerClient, wish: PendingCorrection) -> Sent:
    """Send a wish; the same one may be sent again and again."""
    sent = _send(client, wish)
    CORRECTIONS.labels(sent.outcome).inc()
    return sent


def _send(client: LabelerClient, wish: PendingCorrection) -> Sent:
    try:
        done = client.correct(wish)
    except SomebodyWasFirst as first:
        return Sent(wish, "overtaken", str(first), label=first.label, revision=first.revision)
    except TransientError as away:
        return Sent(wish, "kept", str(away))
    except LoggedOut as ended:
        return Sent(wish, "kept", str(ended), logged_out=True)
    except Declined as no:
        return Sent(wish, "declined", str(no))
    if done.revision is None:
        return Sent(wish, "accepted", "", done.event_id, wish.label)
    return Sent(wish, "applied", "", done.event_id, wish.label, done.revision)


def undoing(sent: Sent) -> PendingCorrection | None:
    """The correction that takes an applied one back; None if there is no label to go back to."""
    if sent.wish.label_before is None or sent.revision is None:
        return None
    return PendingCorrection(
        image_id=sent.wish.image_id,
        label=sent.wish.label_before,
        label_before=sent.wish.label,
        revision=sent.revision,
        key=new_key(),
        reason="undone",
    )


@dataclass
class Followed:
    """A correction whose effect is watched, since `since` (seconds, monotonic)."""

    sent: Sent
    since: float
    entry: HistoryEntry | None = None

    @classmethod
    def start(cls, sent: Sent) -> "Followed":
        """Watch from now on."""
        return cls(sent, time.monotonic())

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be expected soon."""
        entry = self.entry
        return entry is not None and (
            entry.live_in is not None or entry.set_aside is not None or entry.state == "superseded"
        )

    @property
    def over(self) -> bool:
        """Whether watching has an end."""
        return self.settled or time.monotonic() - self.since > FOLLOW_SECONDS

    def look(self, client: LabelerClient) -> None:
        """Ask once; learns the revision, too, if it was not known yet."""
        entries = client.history(self.sent.wish.image_id)
        self.entry = next((entry for entry in entries if entry.event_id == self.sent.event_id), self.entry)
        if self.entry is not None and self.entry.state == "applied" and self.sent.revision is None:
            self.sent = replace(self.sent, outcome="applied", revision=self.entry.revision)

    @property
    def sentence(self) -> str:
        """What is known about it."""
        if self.entry is None:
            return "Accepted. It is being saved …"
        return words.effect(self.entry, waiting=not self.over)
