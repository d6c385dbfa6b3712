"""One person's review session: the queue, the moves, and how a move is undone."""

from dataclasses import dataclass, field
from typing import assert_never
from uuid import UUID

from services.labeler.ui import messages
from services.labeler.ui.api_clients import Declined, LabelerClient, LoggedOut
from services.labeler.ui.sessions.click_guard import ClickGuard
from services.labeler.ui.sessions.corrections import (
    FollowedCorrection,
    PendingCorrection,
    SentCorrection,
    new_correction,
    send,
    undo_of,
)
from services.labeler.ui.sessions.tab import clients
from services.labeler.ui.sessions.withdrawing import Withdrawing
from shared.clients.answers import Prediction, ReviewItem
from shared.clients.labeler import MAX_REVIEW_ITEMS, get_review_queue
from shared.runtime.errors import TransientError

QUEUE_LENGTH = 20


@dataclass(frozen=True)
class Move:
    """An image as the person saw it, and the label it got; None for a skip."""

    item: ReviewItem
    sent: SentCorrection | None = None


@dataclass
class ReviewSession:
    """The state of one review. `queue` holds the next images, `moves` the labels and skips so far, newest last.
    `unsent` is a label that could not be sent; `undo` an undo that was not confirmed, sent again with the same key."""

    queue: list[ReviewItem] = field(default_factory=list)
    skipped: set[UUID] = field(default_factory=set)
    moves: list[Move] = field(default_factory=list)
    predictions: dict[UUID, Prediction] = field(default_factory=dict)
    waiting: int = 0
    unsent: PendingCorrection | None = None
    undo: PendingCorrection | None = None
    notice: str = ""
    followed: FollowedCorrection | None = None
    withdrawing: Withdrawing = field(default_factory=Withdrawing)
    click_guard: ClickGuard = field(default_factory=ClickGuard)

    @property
    def begun(self) -> bool:
        """Whether something would be lost with it."""
        return bool(self.moves) or self.unsent is not None

    @property
    def done(self) -> int:
        """How many images were labelled in this session."""
        return sum(move.sent is not None for move in self.moves)

    def refill(self, client: LabelerClient) -> None:
        """Fetch the next images, without those that were skipped in this session."""
        found = client.send(get_review_queue(min(QUEUE_LENGTH + len(self.skipped), MAX_REVIEW_ITEMS)))
        self.waiting = found.waiting
        self.queue = [item for item in found.items if item.image_id not in self.skipped]

    def start_again(self) -> None:
        """Let the page fetch the queue again, with the skipped images."""
        self.skipped.clear()
        self.queue.clear()
        self.moves = [move for move in self.moves if move.sent is not None]

    def label(self, item: ReviewItem, label: str) -> None:
        """Set the label of the current image."""
        shown = self.predictions.get(item.image_id) or item.prediction
        self.send(new_correction(item.image_id, label, item.label, item.revision, shown))

    def send(self, correction: PendingCorrection) -> None:
        """Send a correction, and go to the next image unless this one needs another look."""
        sent = send(correction)
        self.unsent = correction if sent.outcome == "unsent" else None
        self.notice = sent.detail
        if sent.outcome == "superseded":
            self._show_superseded(sent)
        if sent.outcome in ("applied", "accepted"):
            item = self.queue.pop(0)
            if sent.outcome == "accepted":
                self.skipped.add(correction.image_id)  # the tables still list it
            self.moves.append(Move(item, sent))
            self.waiting -= 1
            self.followed = FollowedCorrection.start(sent)

    def _show_superseded(self, sent: SentCorrection) -> None:
        """Show the image again if another person set another label; go on if it is the same one."""
        if sent.label == sent.correction.label:
            self.queue.pop(0)
            self.waiting -= 1
            self.notice = f"Another person had already chosen {sent.label}, so there is nothing left to do here."
            return
        self.queue[0] = _reopened(sent, "Do you agree?")
        self.notice = f"{sent.detail} Press Skip to keep that label."

    def drop_unsent(self) -> None:
        """Forget the label that could not be sent, so that the person can choose again."""
        self.unsent, self.notice = None, ""

    def drop_withdrawn(self) -> None:
        """Go to the next image: the current one was withdrawn."""
        self.skipped.add(self.queue.pop(0).image_id)
        self.waiting -= 1

    def skip(self) -> None:
        """Leave the current image as it is."""
        self.notice = ""
        item = self.queue.pop(0)
        self.skipped.add(item.image_id)
        self.moves.append(Move(item))

    def undo_last(self) -> None:
        """Undo the last move, a label by its withdrawal, and show its image again."""
        self.notice = ""
        item, sent = self.moves[-1].item, self.moves[-1].sent
        if sent is None:
            self.moves.pop()
            self.skipped.discard(item.image_id)
            self._put_first(item)
        elif (revision := self._revision_of(sent)) is not None:
            self._undo_label(item, self._undo_of(sent, revision))

    def _undo_label(self, item: ReviewItem, undo: PendingCorrection) -> None:
        sent = send(undo)
        self.undo = undo if sent.outcome in ("accepted", "unsent") else None
        match sent.outcome:
            case "applied":
                revision = sent.revision or 0
                self._reopen(item.model_copy(update={"revision": revision, "reason": messages.UNDONE}))
            case "superseded":
                self._reopen(_reopened(sent, "Do you agree?"))
                self.notice = sent.detail
            case "accepted":
                self.notice = "The undo is being saved. Press Undo again in a moment to see the image."
            case "unsent":
                self.notice = "The undo could not be saved yet. Press Undo again."
            case "declined":
                self.notice = f"Not undone. {sent.detail}"
            case _:
                assert_never(sent.outcome)

    def _undo_of(self, sent: SentCorrection, revision: int) -> PendingCorrection:
        """Return the undo that was already sent, or a new one."""
        undo = self.undo
        if undo is not None and (undo.image_id, undo.revision) == (sent.correction.image_id, revision):
            return undo
        return undo_of(sent, revision)

    def _reopen(self, item: ReviewItem) -> None:
        """Show the image of the last label again."""
        self.moves.pop()
        self.waiting += 1
        self.followed = None
        self.skipped.discard(item.image_id)
        self._put_first(item)

    def _put_first(self, item: ReviewItem) -> None:
        self.queue = [item, *(other for other in self.queue if other.image_id != item.image_id)]

    def _revision_of(self, sent: SentCorrection) -> int | None:
        """Return the revision of `sent`; None, with a notice, if it is not known yet."""
        if sent.revision is not None:
            return sent.revision
        followed = FollowedCorrection.start(sent)
        try:
            followed.look(clients().labeler)
        except (TransientError, Declined, LoggedOut) as error:
            self.notice = f"Not undone. {error}"
            return None
        if followed.sent.revision is None:
            self.notice = "Not undone: the label is still being saved. Press Undo again in a moment."
            return None
        return followed.sent.revision


def _reopened(found: SentCorrection, reason: str) -> ReviewItem:
    """Return the image with its current label, to be reviewed again."""
    return ReviewItem(
        image_id=found.correction.image_id,
        label=found.label,
        revision=found.revision or 0,
        trust="reviewed",
        prediction=None,
        reason=reason,
    )
