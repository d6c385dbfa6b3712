"""One person's review in one tab: the queue, the moves and their effects. The browser decides which image is shown."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from services.labeler.ui.api_clients import Declined, LabelerClient, LoggedOut, PredictorClient
from services.labeler.ui.metrics import PREDICTIONS
from services.labeler.ui.review import words
from services.labeler.ui.review.background import Background
from services.labeler.ui.review.moves import Ledger, Move, Outcome, read_moves
from services.labeler.ui.review.outbox import Outbox
from services.labeler.ui.review.queues import ChosenQueue
from services.labeler.ui.sessions.click_guard import ClickGuard
from services.labeler.ui.sessions.cookie import token_hash
from services.labeler.ui.sessions.corrections import FollowedCorrection
from services.labeler.ui.sessions.tab import Clients
from services.labeler.ui.sessions.withdrawing import Withdrawing
from shared.clients.answers import DoubleCheck, Prediction, ReviewItem, Session, ShownPrediction
from shared.clients.labeler import MAX_LEASED_ITEMS, get_image_content, lease_review_queue
from shared.clients.predictor import predict
from shared.clients.review import QueueCount, QueueName, Queues, SavedFilter, answer_double_check, count_queues
from shared.runtime.errors import TransientError

QUEUE_LENGTH = 20
REFILL_BELOW = 12
REFRESH_SECONDS = 10.0
COUNT_SECONDS = 30.0
PREDICTED_AHEAD = 3
FOLLOWED = 5
"""As many moves are shown with their effect."""
TOLD = 100
"""Of so many moves the browser is told what became of them; it asks for those that it has not confirmed."""


@dataclass
class ReviewSession:
    """The state of one review. `chosen` is the queue that is worked through, by the `choice` of this number in the
    browser; `queue` holds its next images as the labeler ordered them; `waiting` are in it, or `more`; `skipped` the
    person left for later. `current` is the image that the browser shows, None for none; `problem` says why the queue
    could not be read again; `blind` that people vote without a model's answer."""

    outbox: Outbox = field(default_factory=Outbox)
    chosen: ChosenQueue = field(default_factory=ChosenQueue)
    choice: int = 0
    queue: list[ReviewItem] = field(default_factory=list)
    counts: dict[QueueName, QueueCount] = field(default_factory=dict)
    filters: list[SavedFilter] = field(default_factory=list)
    waiting: int = 0
    more: bool = False
    skipped: int = 0
    double_check: DoubleCheck | None = None
    current: UUID | None = None
    problem: str = ""
    frozen: bool = False
    blind: bool = False
    dropped: set[UUID] = field(default_factory=set)
    predictions: dict[UUID, Prediction | None] = field(default_factory=dict)
    withdrawing: Withdrawing = field(default_factory=Withdrawing)
    click_guard: ClickGuard = field(default_factory=ClickGuard)
    _answered: str = ""
    _counted: tuple[float, Queues] | None = None
    _followed: dict[str, FollowedCorrection] = field(default_factory=dict)
    _done_at_refill: set[UUID] = field(default_factory=set)
    _read_at: float | None = None
    _clients: Clients | None = None
    _reader: Background = field(init=False)
    _reading: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Make the thread's work known; it starts when the browser asks."""
        self._reader = Background(self.read_once)

    @property
    def begun(self) -> bool:
        """Whether something would be lost with it."""
        return bool(self._ledger.moves)

    @property
    def loading(self) -> bool:
        """Whether the queue has not been read yet."""
        return self._read_at is None

    @property
    def _ledger(self) -> Ledger:
        return self.outbox.ledger

    def open(self, clients: Clients, person: Session) -> None:
        """Go on as this person, and read the queue before it is shown for the first time. Raises what
        `LabelerClient.send` raises."""
        login = token_hash(person)
        if self._clients is None or self.outbox.login != login:
            self._clients = replace(clients, labeler=clients.labeler.under(person))
            self.outbox.use(self._clients.labeler, login)
        self._counted = None
        if self._read_at is None:
            self._refill(self._clients.labeler)

    def choose(self, chosen: ChosenQueue) -> None:
        """Work through this queue from now on; its images are read beside the page."""
        with self.outbox.lock:
            if chosen != self.chosen:
                self.chosen, self.queue, self.waiting, self.more, self._read_at = chosen, [], 0, False, None

    def receive(self, asked: Any) -> None:
        """Take what the browser said: its moves, and the image that it shows. Returns at once; what there is to do is
        done beside the page."""
        if asked is not None:
            self.take(asked)
            self.outbox.wake()
            self._reader.wake()

    def take(self, asked: Mapping[str, Any]) -> None:
        """Take the moves in what the browser said, and remember which image it shows, which queue was chosen there
        last, and which question was answered."""
        chosen = asked.get("chosen")
        if isinstance(chosen, Mapping) and int(chosen.get("number") or 0) > self.choice:
            self.choice = int(chosen["number"])
            self.choose(self.chosen.named(chosen.get("queue"), self.filters))
        self._answered = str(asked.get("answered") or "")
        try:
            self.current = UUID(str(asked.get("current")))
        except ValueError:
            self.current = None
        self.outbox.take(read_moves(asked.get("moves")))

    def drop(self, image_id: UUID) -> None:
        """Go on without an image, which was withdrawn."""
        self.dropped.add(image_id)

    def item(self, image_id: UUID) -> ReviewItem | None:
        """Return an image of the queue; None if it is not in it."""
        return next((item for item in self.queue if item.image_id == image_id), None)

    def read_once(self) -> None:
        """Read what is missing: the next images, answers about those without one, and the effect of the last moves."""
        clients, login = self._clients, self.outbox.login
        if clients is None:
            return
        with self._reading:
            try:
                self._answer(clients.labeler)
                if self._stale():
                    self._refill(clients.labeler)
                self._predict(clients)
                self._follow(clients.labeler)
                self.problem = ""
            except (TransientError, Declined) as error:
                self.problem = str(error)
            except LoggedOut:
                self.outbox.end(login)

    def _stale(self) -> bool:
        too_old = self._read_at is None or time.monotonic() - self._read_at > REFRESH_SECONDS
        shown = len(self.shown())
        return too_old or (shown < REFILL_BELOW and self.left() > shown)

    def _answer(self, client: LabelerClient) -> None:
        """Let the labeler know that the person has answered the question about their last decisions."""
        asked = self.double_check
        if asked is not None and asked.asked_about.isoformat() == self._answered:
            client.send(answer_double_check(self._answered))
            self.double_check = None

    def _refill(self, client: LabelerClient) -> None:
        with self.outbox.lock:
            chosen, standing, outcomes = self.chosen, self._standing(), self._ledger.outcomes
            listed = {
                image_id
                for image_id, move in standing.items()
                if (known := outcomes.get(move.key)) is None
                or known.state not in ("applied", "voted")
                or move.no_label == "unsure"
            }
        limit = min(QUEUE_LENGTH + len(listed), MAX_LEASED_ITEMS)
        found = client.send(lease_review_queue(limit, chosen.name, chosen.images, chosen.sort))
        queues = self._count(client)
        labelled = {image_id for image_id, move in standing.items() if move.kind != "later"}
        asked = found.double_check
        with self.outbox.lock:
            if chosen != self.chosen:
                return  # another one was chosen meanwhile
            self.queue, self._read_at, self._done_at_refill = list(found.items), time.monotonic(), labelled
            self.waiting = found.waiting - sum(item.image_id in labelled for item in found.items)
            self.more, self.skipped, self.filters, self.blind = found.more, found.skipped, queues.filters, found.blind
            self.counts = {each.queue: each for each in queues.queues}
            self.counts[chosen.name] = QueueCount(queue=chosen.name, waiting=found.waiting, more=found.more)
            answered = asked is not None and asked.asked_about.isoformat() == self._answered
            self.double_check = None if answered else asked
            self.predictions = {image: known for image, known in self.predictions.items() if known is not None}

    def _count(self, client: LabelerClient) -> Queues:
        """Return how many images wait in each queue, as it was lately."""
        at, known = self._counted or (0.0, None)
        if known is None or time.monotonic() - at > COUNT_SECONDS:
            known = client.send(count_queues())
            self._counted = (time.monotonic(), known)
        return known

    def _standing(self) -> dict[UUID, Move]:
        return self._ledger.standing(self.chosen.key)

    def shown(self) -> list[ReviewItem]:
        """Return the images of the queue that the person has not dealt with."""
        with self.outbox.lock:
            standing = self._standing()
        return [item for item in self.queue if item.image_id not in standing and item.image_id not in self.dropped]

    def left(self) -> int:
        """Return how many images wait for a label."""
        with self.outbox.lock:
            labelled = {image for image, move in self._standing().items() if move.kind != "later"}
        since = len(labelled - self._done_at_refill) - len(self._done_at_refill - labelled)
        return max(0, self.waiting - since - sum(item.image_id in self.dropped for item in self.queue))

    def prediction(self, item: ReviewItem) -> ShownPrediction | None:
        """Return the answer of a model about an image; None while there is none."""
        return None if self.blind else item.prediction or self.predictions.get(item.image_id)

    def reading_ahead(self) -> bool:
        """Whether the queue, or answers about its next images, are still asked for."""
        return self.loading or (
            not self.blind
            and any(
                item.prediction is None and item.image_id not in self.predictions
                for item in self.shown()[:PREDICTED_AHEAD]
            )
        )

    def _predict(self, clients: Clients) -> None:
        for item in [] if self.blind else self.shown()[:PREDICTED_AHEAD]:
            if item.prediction is None and item.image_id not in self.predictions:
                self.predictions[item.image_id] = _ask(clients.labeler, clients.predictor, item.image_id)

    def _follow(self, client: LabelerClient) -> None:
        for key in self._recent():
            followed = self._followed.get(key)
            if followed is not None and not followed.over(self.frozen):
                followed.look(client)

    def _recent(self) -> list[str]:
        """Return the keys of the last moves, and follow those that are new among them."""
        with self.outbox.lock:
            recent = [key for key, move in self._ledger.moves.items() if move.kind != "later"][-FOLLOWED:]
            for key in recent:
                sent = self.outbox.sent.get(key)
                if key not in self._followed and sent is not None and sent.outcome in ("applied", "accepted"):
                    self._followed[key] = FollowedCorrection.start(sent)
        return recent

    def outcomes(self) -> dict[str, dict[str, Any]]:
        """Return what the browser is told of the last moves, by key. `final`: it need not send it again; `settled`: no
        further change is expected soon."""
        recent = set(self._recent())
        with self.outbox.lock:
            moves = list(self._ledger.moves.values())
            unfinished = {move.key for move in self._ledger.unfinished()}
            told = [move for move in moves[:-TOLD] if move.key in unfinished] + moves[-TOLD:]
            return {
                move.key: self._told(move, self._ledger.outcomes.get(move.key), move.key in recent) for move in told
            }

    def _told(self, move: Move, outcome: Outcome | None, recent: bool) -> dict[str, Any]:
        text, settled = words.outcome_text(move, outcome), outcome is not None and outcome.final
        followed = self._followed.get(move.key)
        if recent and outcome is not None and outcome.state in ("applied", "accepted"):
            over = followed is not None and followed.over(self.frozen)
            settled = over
            if followed is not None and followed.entry is not None:
                text = words.effect_text(followed.entry, waiting=not over, frozen=self.frozen)
        return {
            "state": "saving" if outcome is None else outcome.state,
            "live": bool(followed and followed.entry and followed.entry.live_in),
            "text": text,
            "label": outcome.label if outcome else None,
            "revision": outcome.revision if outcome else None,
            "detail": outcome.detail if outcome else "",
            "final": outcome is not None and outcome.final,
            "settled": settled,
        }


def _ask(labeler: LabelerClient, predictor: PredictorClient, image_id: UUID) -> Prediction | None:
    """Return the answer about an image that none is stored for; None if there is none right now."""
    try:
        answer = predictor.send(predict(labeler.send(get_image_content(image_id))))
    except (TransientError, Declined):
        PREDICTIONS.labels("unanswered").inc()
        return None
    PREDICTIONS.labels("answered").inc()
    return answer
