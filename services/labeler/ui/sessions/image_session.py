"""The image on its page: what a person asks about it, and what became of the last label."""

from dataclasses import dataclass, field
from uuid import UUID

from services.labeler.ui.api_clients import Declined
from services.labeler.ui.messages import KEPT_AS_VOTE
from services.labeler.ui.metrics import PREDICTIONS
from services.labeler.ui.sessions.click_guard import ClickGuard
from services.labeler.ui.sessions.corrections import (
    FollowedCorrection,
    PendingCorrection,
    new_correction,
    new_key,
    send,
)
from services.labeler.ui.sessions.tab import clients
from services.labeler.ui.sessions.withdrawing import Withdrawing
from shared.clients.answers import ImageView, Prediction, ShownPrediction
from shared.clients.labeler import get_image_content
from shared.clients.predictor import predict
from shared.contract.events import NoLabel
from shared.runtime.errors import TransientError


@dataclass
class ImageSession:
    """`image_id` is the image that is shown. `unsent` is a label that was not confirmed; `notice` says why. `answered`:
    whether the model in service was asked; `prediction` is its answer, None if there is none."""

    image_id: UUID
    click_guard: ClickGuard = field(default_factory=ClickGuard)
    withdrawing: Withdrawing = field(default_factory=Withdrawing)
    unsent: PendingCorrection | None = None
    followed: FollowedCorrection | None = None
    notice: str = ""
    answered: bool = False
    prediction: Prediction | None = None

    def ask_model(self) -> Prediction | None:
        """Return what the model in service answers, asked once; None if it does not answer."""
        if not self.answered:
            self.answered = True
            try:
                data = clients().labeler.send(get_image_content(self.image_id))
                self.prediction = clients().predictor.send(predict(data))
            except (TransientError, Declined):
                PREDICTIONS.labels("unanswered").inc()
            else:
                PREDICTIONS.labels("answered").inc()
        return self.prediction

    def ask_again(self) -> None:
        """Ask the model anew: a label went live."""
        self.answered, self.prediction = False, None

    def label(self, image: ImageView, label: str, shown: ShownPrediction | None) -> None:
        """Set the label of the image, which was seen as it is in `image`."""
        self.send(new_correction(image.image_id, label, image.label, image.revision, shown))

    def take_label_away(self, image: ImageView, why: NoLabel) -> None:
        """Say that the image has no label, or ("withdrawn") take the last decision back."""
        before = image.label
        self.send(
            PendingCorrection(
                image_id=image.image_id,
                label=None,
                label_before=before,
                revision=image.revision,
                key=new_key(),
                no_label=why,
            )
        )

    def send(self, correction: PendingCorrection) -> None:
        """Send a label, for the first time or again."""
        sent = send(correction)
        self.unsent, self.notice = None, sent.detail
        if sent.outcome == "unsent":
            self.unsent = correction
        elif sent.outcome == "voted":
            self.notice = KEPT_AS_VOTE
        elif sent.outcome in ("applied", "accepted"):
            self.followed = FollowedCorrection.start(sent)

    def drop_unsent(self) -> None:
        """Forget the label that was not confirmed."""
        self.unsent, self.notice = None, ""
