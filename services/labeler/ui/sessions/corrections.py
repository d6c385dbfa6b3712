"""Corrections as the pages handle them: created, sent, sent again, undone, and followed until they are live."""

import time
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict

from services.labeler.ui import messages
from services.labeler.ui.api_clients import Declined, LabelerClient, LoggedOut, Superseded
from services.labeler.ui.metrics import CORRECTIONS
from services.labeler.ui.sessions.tab import clients, log_out
from shared.clients.answers import Accepted, HistoryEntry, ShownPrediction
from shared.clients.labeler import correct_label, get_history
from shared.contract.events import NoLabel
from shared.runtime.errors import TransientError
from shared.runtime.tracing import describe, span

FOLLOW_SECONDS = 30.0
ENDED = "The session had ended. Press Try again."
UNAVAILABLE = "The label could not be saved yet. Press Try again."


class PendingCorrection(BaseModel):
    """A correction to send. Sending it again with the same `key` has no further effect. `label` is None for none; then
    `no_label` says why. `vote`: where labels are voted about, it is a vote, also of an operator."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())
    image_id: UUID
    label: str | None
    label_before: str | None
    revision: int
    key: str
    no_label: NoLabel | None = None
    reason: str = ""
    prediction_id: UUID | None = None
    shown_model_version: str | None = None
    shown_label: str | None = None
    shown_probability: float | None = None
    vote: bool = False


@dataclass(frozen=True)
class SentCorrection:
    """The outcome of sending a correction.

    applied: `revision` is its own. voted: it is kept as a vote, and `revision` is the one it was seen at. accepted: the
    log has it, its revision is not known yet. unsent: something is unavailable (or the session has ended:
    `logged_out`); send it again. superseded: `label` and `revision` are those of the correction that came first.
    declined: the API refused it. `detail` explains the outcome to the person.
    """

    correction: PendingCorrection
    outcome: Literal["applied", "voted", "accepted", "unsent", "superseded", "declined"]
    detail: str = ""
    event_id: UUID | None = None
    label: str | None = None
    revision: int | None = None
    logged_out: bool = False


def new_key() -> str:
    """Return a fresh idempotency key."""
    return str(uuid4())


def new_correction(
    image_id: UUID, label: str, label_before: str | None, revision: int, shown: ShownPrediction | None
) -> PendingCorrection:
    """Create a correction of an image that was seen at `revision` with `label_before`; `shown` is the prediction the
    person saw, None for none."""
    return PendingCorrection(
        image_id=image_id,
        label=label,
        label_before=label_before,
        revision=revision,
        key=new_key(),
        prediction_id=shown.prediction_id if shown else None,
        shown_model_version=shown.model_version if shown else None,
        shown_label=shown.label if shown else None,
        shown_probability=shown.probabilities[shown.label] if shown else None,
    )


def send(correction: PendingCorrection) -> SentCorrection:
    """Send a correction, for the first time or again. If the session has ended, the login is shown next."""
    sent = send_once(clients().labeler, correction)
    if sent.logged_out:
        log_out("The session has ended. Log in again. Your label is kept, and can be sent then.")
    return sent


def send_once(
    client: LabelerClient, correction: PendingCorrection, unavailable: str = UNAVAILABLE, ended: str = ENDED
) -> SentCorrection:
    """Send a correction, from any thread. `unavailable` and `ended` are what the person is told if something behind the
    labeler is unavailable, or if the session has ended."""
    with span("correct label"):
        describe(image_id=correction.image_id, prediction_id=correction.prediction_id)
        sent = _send(client, correction, unavailable, ended)
    CORRECTIONS.labels(sent.outcome).inc()
    return sent


def _send(client: LabelerClient, correction: PendingCorrection, unavailable: str, ended: str) -> SentCorrection:
    request = correct_label(**correction.model_dump(exclude={"label_before"}))
    try:
        done = client.send(request, unavailable)
    except Superseded as error:
        return SentCorrection(correction, "superseded", str(error), label=error.label, revision=error.revision)
    except TransientError as error:
        return SentCorrection(correction, "unsent", str(error))
    except LoggedOut:
        return SentCorrection(correction, "unsent", ended, logged_out=True)
    except Declined as error:
        return SentCorrection(correction, "declined", str(error))
    if isinstance(done, Accepted):
        return SentCorrection(correction, "accepted", "", done.event_id, correction.label)
    return SentCorrection(correction, done.state, "", done.event_id, done.label, done.revision)


def undo_of(sent: SentCorrection, revision: int) -> PendingCorrection:
    """Create the withdrawal of `sent`, which was applied as `revision`: the image is then as it was before."""
    return PendingCorrection(
        image_id=sent.correction.image_id,
        label=None,
        label_before=sent.correction.label,
        revision=revision,
        key=new_key(),
        no_label="withdrawn",
    )


@dataclass
class FollowedCorrection:
    """A correction whose effect is followed since `since` (seconds, monotonic)."""

    sent: SentCorrection
    since: float
    entry: HistoryEntry | None = None

    @classmethod
    def start(cls, sent: SentCorrection) -> "FollowedCorrection":
        """Follow a correction from now on."""
        return cls(sent, time.monotonic())

    @property
    def settled(self) -> bool:
        """Whether no further change is expected soon."""
        entry = self.entry
        return entry is not None and (
            entry.live_in is not None or entry.set_aside is not None or entry.state == "superseded"
        )

    def over(self, frozen: bool) -> bool:
        """Whether the page stops looking. While promotions are frozen it goes on: the effect comes after that."""
        return self.settled or (not frozen and time.monotonic() - self.since > FOLLOW_SECONDS)

    def look(self, client: LabelerClient) -> None:
        """Request the history once; learn the revision if it was not known yet."""
        entries = client.send(get_history(self.sent.correction.image_id))
        self.entry = next((entry for entry in entries if entry.event_id == self.sent.event_id), self.entry)
        if self.entry is not None and self.entry.state == "applied" and self.sent.revision is None:
            self.sent = replace(self.sent, outcome="applied", revision=self.entry.revision)

    def sentence(self, frozen: bool) -> str:
        """Return what is known about its effect; `frozen`: promotions are."""
        if self.entry is None:
            return "Your label is being saved …"
        return messages.correction_effect(self.entry, waiting=not self.over(frozen), frozen=frozen)
