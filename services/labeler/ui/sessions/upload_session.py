"""The single image on the page Add: its state, and what can be done with it."""

import time
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

from services.labeler.ui import messages
from services.labeler.ui.api_clients import Declined, LabelerClient, NoModel
from services.labeler.ui.metrics import PREDICTIONS
from services.labeler.ui.sessions.click_guard import ClickGuard
from services.labeler.ui.sessions.corrections import (
    FollowedCorrection,
    PendingCorrection,
    SentCorrection,
    new_correction,
    new_key,
    send,
    undo_of,
)
from services.labeler.ui.sessions.tab import clients
from services.labeler.ui.sessions.withdrawing import Withdrawing
from shared.clients.answers import Prediction, Uploaded
from shared.clients.labeler import get_first_model, get_image, upload_image
from shared.clients.predictor import predict
from shared.runtime.errors import TransientError
from shared.runtime.tracing import describe, span

LOAD_SECONDS = 10.0
UNAVAILABLE = "The image could not be saved yet. Press Try again."


@dataclass
class UploadSession:
    """One chosen file and what happened to it. `claimed` is the label that the person gave with it. `predictions` are
    in order, oldest first; `no_prediction` is the reason why there is none, and `may_predict_later` whether another
    request may help. `problem` is the reason why the image is not stored yet, `refused` why it never will be."""

    name: str
    data: bytes
    claimed: str | None = None
    key: str = field(default_factory=new_key)
    image_id: UUID | None = None
    stored: bool = False
    label: str | None = None
    revision: int = 0
    quarantined: bool = False
    predictions: list[Prediction] = field(default_factory=list)
    no_prediction: str = ""
    may_predict_later: bool = False
    problem: str = ""
    refused: str = ""
    sent: SentCorrection | None = None
    followed: FollowedCorrection | None = None
    ask_until: float | None = None
    withdrawing: Withdrawing = field(default_factory=Withdrawing)
    click_guard: ClickGuard = field(default_factory=ClickGuard)
    sha256: str = field(init=False)
    shown_beside: str | None = field(init=False)

    def __post_init__(self) -> None:
        """Set the hashes. `shown_beside` is the sha256 of the file in the uploader when this one was last unsent, None
        for no file."""
        self.sha256 = self.shown_beside = sha256(self.data).hexdigest()

    @property
    def unsent(self) -> bool:
        """Whether work would be lost if another file took its place."""
        return bool(self.problem) or (self.sent is not None and self.sent.outcome == "unsent")

    def stays(self, held: str | None) -> bool:
        """Return whether this session stays while the uploader holds the file with the sha256 `held`, None for no file:
        as long as it is unsent, and then until another file is chosen, so that the person sees the result."""
        if self.unsent:
            self.shown_beside = held
        return self.unsent or held in (self.sha256, self.shown_beside)

    def release(self) -> None:
        """Make room for the file the uploader holds."""
        self.shown_beside = self.sha256

    def predict(self) -> None:
        """Request a prediction."""
        try:
            with span("ask the model"):
                self.predictions.append(clients().predictor.send(predict(self.data)))
        except (TransientError, Declined) as error:
            self.no_prediction = messages.no_model(_waits_for()) if isinstance(error, NoModel) else str(error)
            self.may_predict_later = isinstance(error, TransientError)
            PREDICTIONS.labels("unanswered").inc()
            return
        self.no_prediction = ""
        PREDICTIONS.labels("answered").inc()

    def drop_withdrawn(self) -> None:
        """Say that the image was withdrawn: nothing more can be done with it."""
        self.refused = self.withdrawing.notice

    def retry_prediction(self) -> None:
        """Let the page request the prediction again."""
        self.no_prediction = ""

    def store(self) -> None:
        """Upload the image, or look whether an accepted upload is stored. Raises LoggedOut."""
        labeler = clients().labeler
        try:
            if self.image_id is not None:
                self._look(labeler, self.image_id)
                return
            with span("upload image"):
                done = labeler.send(upload_image(self.name, self.data, self.key, self.claimed), UNAVAILABLE)
                describe(image_id=done.image_id)
        except TransientError as error:
            self.problem = str(error)
        except Declined as error:
            self.refused = str(error)
        else:
            self.image_id = done.image_id
            if isinstance(done, Uploaded):
                self.stored, self.label, self.revision = True, done.label, done.revision
                self.quarantined = done.quarantined

    def _look(self, labeler: LabelerClient, image_id: UUID) -> None:
        """Look at the outcome of an upload that was accepted."""
        image = labeler.send(get_image(image_id))
        if image.duplicate_of is not None:
            image = labeler.send(get_image(image.duplicate_of))
        if image.rejection is not None:
            self.refused = image.rejection.detail
        self.image_id, self.stored = image.image_id, image.state == "stored"
        self.label, self.revision, self.quarantined = image.label, image.revision, bool(image.joins)

    def retry_upload(self) -> None:
        """Let the page upload the image again."""
        self.problem = ""

    def correct(self, label: str) -> None:
        """Set the label of the stored image."""
        assert self.image_id is not None
        shown = self.predictions[-1] if self.predictions else None
        self.send(new_correction(self.image_id, label, self.label, self.revision, shown))

    def send(self, correction: PendingCorrection) -> None:
        """Send a correction, for the first time or again."""
        sent = send(correction)
        self.sent, self.followed = sent, None
        if sent.outcome in ("applied", "superseded"):
            self.label, self.revision = sent.label, sent.revision or 0
        if sent.outcome in ("applied", "accepted"):
            self.followed = FollowedCorrection.start(sent)

    def undo(self) -> None:
        """Take the last label back; once that is saved, the image is as it was before."""
        sent = self.sent
        if sent is not None and sent.outcome == "applied" and sent.correction.no_label is None:
            self.send(undo_of(sent, self.revision))

    @property
    def may_undo(self) -> bool:
        """Whether the last thing the person did is a label that is applied."""
        sent = self.sent
        return sent is not None and sent.outcome == "applied" and sent.correction.no_label is None

    def settle(self) -> None:
        """Take over the outcome of the followed correction; if it is live, request the new prediction for a while."""
        entry = self.followed.entry if self.followed else None
        if entry is None:
            return
        if entry.state == "applied":
            self.revision = entry.revision
            if entry.no_label is None:
                self.label = entry.label_to
            if self.sent is not None and self.sent.outcome == "accepted":
                self.sent = self.followed.sent if self.followed else self.sent
        if entry.live_in is not None:
            self.ask_until = time.monotonic() + LOAD_SECONDS


def _waits_for() -> str:
    """Return what the first model waits for; empty if the labeler does not say."""
    try:
        return clients().labeler.send(get_first_model()).waits_for
    except (TransientError, Declined):
        return ""
