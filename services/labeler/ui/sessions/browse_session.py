"""What a tab remembers of Browse: the selected images as they were seen, and what became of the last correction."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.labeler.ui.api_clients import Declined, LoggedOut
from services.labeler.ui.sessions.click_guard import ClickGuard
from services.labeler.ui.sessions.corrections import new_key
from services.labeler.ui.sessions.tab import clients, keep_work, log_out
from shared.clients.browse import ListedImage
from shared.clients.bulk import MAX_BULK, BulkCorrection, BulkOutcome, correct_labels
from shared.contract.events import NoLabel
from shared.runtime.errors import TransientError

UNAVAILABLE = "The labels could not be saved yet. Nothing is lost: press Send again."
ENDED = "The session has ended. Log in again: what you selected is kept, and can be sent then."


@dataclass
class Unsent:
    """Corrections that are still to be sent, with the key that makes a repetition harmless."""

    corrections: list[BulkCorrection]
    key: str


@dataclass
class BrowseSession:
    """`selected`: the images by id, as they were when they were selected. `outcomes`: of the last correction, by image.
    `notice` says what became of it as a whole, `trouble` why it could not be sent, then `unsent` is left."""

    selected: dict[UUID, ListedImage] = field(default_factory=dict)
    outcomes: dict[UUID, BulkOutcome] = field(default_factory=dict)
    notice: str = ""
    trouble: str = ""
    unsent: Unsent | None = None
    click_guard: ClickGuard = field(default_factory=ClickGuard)

    def toggle(self, image: ListedImage) -> None:
        """Select an image, or no longer."""
        if self.selected.pop(image.image_id, None) is None:
            self.selected[image.image_id] = image
        keep_work()

    def select(self, images: Iterable[ListedImage]) -> None:
        """Select these images, too."""
        self.selected |= {image.image_id: image for image in images}
        keep_work()

    def refresh(self, images: Iterable[ListedImage]) -> None:
        """Take over what these images are now, which the page shows: a correction then names that revision."""
        self.selected |= {image.image_id: image for image in images if image.image_id in self.selected}

    def clear(self) -> None:
        """Select nothing."""
        self.selected = {}

    def agree(self) -> None:
        """Give each selected image the label that the model answers; those without an answer stay selected."""
        answered = {each.image_id: each.prediction for each in self.selected.values()}
        self._send(
            [
                BulkCorrection(each.image_id, each.revision, prediction.label, prediction_id=prediction.prediction_id)
                for each in self.selected.values()
                if (prediction := answered[each.image_id]) is not None
            ]
        )

    def relabel(self, label: str) -> None:
        """Give all selected images this label."""
        self._send([self._correction(each, label, None) for each in self.selected.values()])

    def flag(self, why: NoLabel) -> None:
        """Take the labels of all selected images away, and say why; "withdrawn": the decision before holds again."""
        self._send([self._correction(each, None, why) for each in self.selected.values()])

    def send_again(self) -> None:
        """Send what is left to be sent."""
        if self.unsent is not None:
            self._deliver(self.unsent)

    def _correction(self, image: ListedImage, label: str | None, no_label: NoLabel | None) -> BulkCorrection:
        seen = None if image.prediction is None else image.prediction.prediction_id
        return BulkCorrection(image.image_id, image.revision, label, no_label, seen)

    def _send(self, corrections: list[BulkCorrection]) -> None:
        self.outcomes, self.notice, self.trouble = {}, "", ""
        if corrections:
            self._deliver(Unsent(corrections, new_key()))
        else:
            self.notice = "The model has not answered about any of these images yet. Set a label instead."

    def _deliver(self, unsent: Unsent) -> None:
        """Send in portions; each leaves `unsent` once it is answered."""
        self.unsent, self.trouble = unsent, ""
        keep_work()
        while unsent.corrections:
            portion = unsent.corrections[:MAX_BULK]
            try:
                found = clients().labeler.send(correct_labels(portion, key=unsent.key), UNAVAILABLE)
            except (TransientError, Declined) as error:
                self.trouble = str(error)
                return
            except LoggedOut:
                log_out(ENDED)
                return
            self._take(found.items)
            del unsent.corrections[: len(portion)]
        self.unsent = None
        self.notice = summary(self.outcomes.values())

    def _take(self, outcomes: Sequence[BulkOutcome]) -> None:
        for each in outcomes:
            self.outcomes[each.image_id] = each
            if each.outcome in DONE:
                self.selected.pop(each.image_id, None)
            elif each.revision is not None and each.image_id in self.selected:
                now = {"label": each.label, "revision": each.revision}
                self.selected[each.image_id] = self.selected[each.image_id].model_copy(update=now)


DONE = ("applied", "voted", "accepted")
WORDS = {
    "applied": ("{} image is saved", "{} images are saved"),
    "voted": ("{} is kept as your vote", "{} are kept as your votes"),
    "accepted": ("{} image is being saved", "{} images are being saved"),
    "superseded": ("{} was changed by another person first", "{} were changed by others first"),
    "nothing_to_withdraw": ("{} has no decision to take back", "{} have no decision to take back"),
    "image_withdrawn": ("{} was withdrawn meanwhile", "{} were withdrawn meanwhile"),
}
OTHERWISE = ("{} was refused", "{} were refused")


def summary(outcomes: Iterable[BulkOutcome]) -> str:
    """Return what became of all images, in a sentence."""
    counted = Counter(each.outcome for each in outcomes)
    parts = [
        WORDS.get(outcome, OTHERWISE)[number > 1].format(number)
        for outcome, number in sorted(counted.items(), key=lambda each: (each[0] != "applied", each[0]))
    ]
    left = sum(number for outcome, number in counted.items() if outcome not in DONE)
    text = ", ".join(parts) + "."
    return text if not left else f"{text} Those that were not saved stay selected, and say why."
