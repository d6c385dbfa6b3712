"""One person's session at the review: what lies before them, what they did, and how it is taken back."""

from dataclasses import dataclass, field
from typing import assert_never
from uuid import UUID

from services.labeler.ui import messages as words
from services.labeler.ui.click_guard import ClickGuard
from services.labeler.ui.clients import Answer, Declined, LabelerClient, LoggedOut, PendingCorrection
from services.labeler.ui.corrections import Followed, Sent, undoing, wished
from services.labeler.ui.state import clients, send
from services.labeler.views import ReviewItem
from shared.runtime.errors import TransientError

AHEAD, MOST = 20, 1000


@dataclass
class ReviewSession:
    """What lies before the person (`queue`), what they did, newest last (`moves`: labels and skipped images), and what
    could not be sent: a label (`kept`), or an Undo (`undo`), which is sent again with the same key."""

    queue: list[ReviewItem] = field(default_factory=list)
    skipped: set[UUID] = field(default_factory=set)
    moves: list[Sent | ReviewItem] = field(default_factory=list)
    answers: dict[UUID, Answer] = field(default_factory=dict)
    waiting: int = 0
    kept: PendingCorrection | None = None
    undo: PendingCorrection | None = None
    notice: str = ""
    followed: Followed | None = None
    presses: ClickGuard = field(default_factory=ClickGuard)

    @property
    def done(self) -> int:
        """How many images were labelled in this session."""
        return sum(isinstance(move, Sent) for move in self.moves)

    def refill(self, client: LabelerClient) -> None:
        """Fetch the next images, without those that were skipped in this session."""
        found = client.review(min(AHEAD + len(self.skipped), MOST))
        self.waiting = found.waiting
        self.queue = [item for item in found.items if item.image_id not in self.skipped]

    def start_again(self) -> None:
        """Have the skipped images, too, fetched again."""
        self.skipped.clear()
        self.queue.clear()
        self.moves = [move for move in self.moves if isinstance(move, Sent)]

    def label(self, item: ReviewItem, label: str) -> None:
        """Set the label of the image on top."""
        shown = self.answers.get(item.image_id) or item.prediction
        self.send(wished(item.image_id, label, item.label, item.revision, shown))

    def send(self, wish: PendingCorrection) -> None:
        """Send, and go on to the next image unless this one needs another look."""
        sent = send(wish)
        self.kept = wish if sent.outcome == "kept" else None
        self.notice = sent.detail
        if sent.outcome == "overtaken":
            self._give_way(sent)
        if sent.outcome in ("applied", "accepted"):
            self.queue.pop(0)
            if sent.outcome == "accepted":
                self.skipped.add(wish.image_id)  # the tables still list it
            self.moves.append(sent)
            self.waiting -= 1
            self.followed = Followed.start(sent)

    def _give_way(self, sent: Sent) -> None:
        """Somebody else labelled it: with another label it needs another look, with the same one it does not."""
        if sent.label == sent.wish.label:
            self.queue.pop(0)
            self.waiting -= 1
            self.notice = f"Somebody had already chosen {sent.label}. Nothing to do."
            return
        self.queue[0] = _again(sent, "Do you agree?")
        self.notice = f"{sent.detail} Press Skip to leave it so."

    def drop_kept(self) -> None:
        """Choose another label than the one that could not be sent."""
        self.kept, self.notice = None, ""

    def skip(self) -> None:
        """Leave the image on top as it is."""
        self.notice = ""
        item = self.queue.pop(0)
        self.skipped.add(item.image_id)
        self.moves.append(item)

    def take_back(self) -> None:
        """Take the last move back, a label as a new correction, and put its image on top again."""
        self.notice = ""
        move = self.moves[-1]
        if isinstance(move, ReviewItem):
            self.moves.pop()
            self.skipped.discard(move.image_id)
            self._put_on_top(move)
        elif (last := self._with_revision(move)) is not None:
            self._take_label_back(last)

    def _take_label_back(self, last: Sent) -> None:
        wish = self._undoing(last)
        if wish is None:
            self._reopen(last, f"It had no label to go back to. {words.until_chosen(last.label)}")
            return
        sent = send(wish)
        self.undo = wish if sent.outcome in ("accepted", "kept") else None
        match sent.outcome:
            case "applied":
                self._reopen(sent, f"You took your last label back. {words.until_chosen(sent.label)}")
            case "overtaken":
                self._reopen(sent, "Do you agree?")
                self.notice = sent.detail
            case "accepted":
                self.notice = "It is being taken back. Press Undo again in a moment to see it."
            case "kept":
                self.notice = "It could not be taken back yet. Press Undo again."
            case "declined":
                self.notice = f"Not undone. {sent.detail}"
            case _:
                assert_never(sent.outcome)

    def _undoing(self, last: Sent) -> PendingCorrection | None:
        """The Undo that was sent already, or a new one; None if there is no label to go back to."""
        before = self.undo
        if before is not None and (before.image_id, before.revision) == (last.wish.image_id, last.revision):
            return before
        return undoing(last)

    def _reopen(self, found: Sent, reason: str) -> None:
        """The last label does not stand any more; the image is asked about again as it is now."""
        self.moves.pop()
        self.waiting += 1
        self.followed = None
        self._put_on_top(_again(found, reason))

    def _put_on_top(self, item: ReviewItem) -> None:
        self.queue = [item, *(other for other in self.queue if other.image_id != item.image_id)]

    def _with_revision(self, sent: Sent) -> Sent | None:
        """The same with the revision it got; None, with a notice, if that cannot be known yet."""
        if sent.revision is not None:
            return sent
        followed = Followed.start(sent)
        try:
            followed.look(clients().labeler)
        except (TransientError, Declined, LoggedOut) as error:
            self.notice = f"Not undone. {error}"
            return None
        if followed.sent.revision is None:
            self.notice = "Not undone: it is still on its way. Try again in a moment."
            return None
        return followed.sent


def _again(found: Sent, reason: str) -> ReviewItem:
    """The image as it is now, to be looked at again."""
    return ReviewItem(
        image_id=found.wish.image_id,
        label=found.label,
        revision=found.revision or 0,
        trust="reviewed",
        prediction=None,
        reason=reason,
    )
