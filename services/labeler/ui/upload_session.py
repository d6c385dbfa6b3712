"""The image on the Upload page: what happened to it so far, and what can be done about it."""

import time
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

from services.labeler.settings import UiSettings
from services.labeler.ui import messages as words
from services.labeler.ui.click_guard import ClickGuard
from services.labeler.ui.clients import Answer, Declined, LabelerClient, NoModel, PendingCorrection
from services.labeler.ui.corrections import Followed, Sent, new_key, wished
from services.labeler.ui.metrics import PREDICTIONS
from services.labeler.ui.state import clients, send
from shared.runtime.errors import TransientError

LOAD_SECONDS = 10.0


@dataclass
class UploadSession:
    """One chosen file and everything that happened to it. `answers` are the model's, oldest first; `silence` is why
    there is none, and `may_answer` whether asking again may help."""

    name: str
    data: bytes
    key: str = field(default_factory=new_key)
    image_id: UUID | None = None
    stored: bool = False
    label: str | None = None
    revision: int = 0
    answers: list[Answer] = field(default_factory=list)
    silence: str = ""
    may_answer: bool = False
    problem: str = ""
    refused: str = ""
    sent: Sent | None = None
    followed: Followed | None = None
    ask_until: float | None = None
    presses: ClickGuard = field(default_factory=ClickGuard)
    digest: str = field(init=False)
    beside: str | None = field(init=False)

    def __post_init__(self) -> None:
        """`beside` is the digest of the file the uploader held when this one was last unsent, None for no file."""
        self.digest = self.beside = sha256(self.data).hexdigest()

    @property
    def unsent(self) -> bool:
        """Whether it would be lost if another file took its place."""
        return bool(self.problem) or (self.sent is not None and self.sent.outcome == "kept")

    def stays(self, held: str | None) -> bool:
        """Whether this goes on while the uploader holds the file with the digest `held`, None for no file: as long as
        it is unsent, and then until another file is chosen, so that the person sees how it ended."""
        if self.unsent:
            self.beside = held
        return self.unsent or held in (self.digest, self.beside)

    def let_go(self) -> None:
        """Make room for the file the uploader holds."""
        self.beside = self.digest

    def predict(self) -> None:
        """Ask the model."""
        try:
            self.answers.append(clients().predictor.predict(self.data))
        except (TransientError, Declined) as error:
            nobody = isinstance(error, NoModel)
            self.silence = words.no_model(UiSettings().first_images_per_label) if nobody else str(error)
            self.may_answer = isinstance(error, TransientError)
            PREDICTIONS.labels("unanswered").inc()
            return
        self.silence = ""
        PREDICTIONS.labels("answered").inc()

    def forget_silence(self) -> None:
        """Have the model asked again."""
        self.silence = ""

    def store(self) -> None:
        """Bring the image; an upload that is on its way is asked for again. Raises LoggedOut."""
        try:
            if self.image_id is not None:
                self._look(clients().labeler, self.image_id)
                return
            done = clients().labeler.upload(self.name, self.data, self.key)
        except TransientError as away:
            self.problem = str(away)
        except Declined as no:
            self.refused = str(no)
        else:
            self.image_id, self.stored = done.image_id, done.state == "stored"
            self.label, self.revision = done.label, done.revision

    def _look(self, labeler: LabelerClient, image_id: UUID) -> None:
        """See what became of an upload that was on its way."""
        image = labeler.image(image_id)
        if image.duplicate_of is not None:
            image = labeler.image(image.duplicate_of)
        if image.rejection is not None:
            self.refused = image.rejection.detail
        self.image_id, self.stored = image.image_id, image.state == "stored"
        self.label, self.revision = image.label, image.revision

    def forget_problem(self) -> None:
        """Have it brought again."""
        self.problem = ""

    def correct(self, label: str) -> None:
        """Set the label of the stored image."""
        assert self.image_id is not None
        shown = self.answers[-1] if self.answers else None
        self.send(wished(self.image_id, label, self.label, self.revision, shown))

    def send(self, wish: PendingCorrection) -> None:
        """Send a correction, for the first time or again."""
        sent = send(wish)
        self.sent, self.followed = sent, None
        if sent.outcome in ("applied", "overtaken"):
            self.label, self.revision = sent.label, sent.revision or 0
        if sent.outcome in ("applied", "accepted"):
            self.followed = Followed.start(sent)

    def settle(self) -> None:
        """The correction is in service, or will not be soon."""
        entry = self.followed.entry if self.followed else None
        if entry is None:
            return
        if entry.state == "applied":
            self.label, self.revision = entry.label_to, entry.revision
        if entry.live_in is not None:
            self.ask_until = time.monotonic() + LOAD_SECONDS
