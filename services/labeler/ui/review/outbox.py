"""Sends the moves of a review to the labeler, in their order, again and again until each has its outcome."""

import threading
from dataclasses import dataclass, field, replace
from typing import Literal

from services.labeler.ui.api_clients import Declined, LabelerClient, LoggedOut, Superseded
from services.labeler.ui.review.background import Background
from services.labeler.ui.review.moves import Ledger, Look, Move, Outcome, PendingSkip
from services.labeler.ui.sessions.corrections import FollowedCorrection, SentCorrection, send_once
from shared.clients.review import skip_image
from shared.runtime.errors import TransientError

FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.5, 5.0
UNAVAILABLE = "It could not be saved yet. It is kept, and sent again."
LOGGED_OUT = "The login had ended. It is sent after the next one."

Progress = Literal["sent", "wait", "idle"]


@dataclass
class Outbox:
    """Owns the ledger of a review; all access to it is under `lock`. `login` names the login under which it sends."""

    ledger: Ledger = field(default_factory=Ledger)
    lock: threading.RLock = field(default_factory=threading.RLock)
    sent: dict[str, SentCorrection] = field(default_factory=dict)
    login: str = ""
    _ended: str | None = None
    _client: LabelerClient | None = None
    _nudge: threading.Event = field(default_factory=threading.Event)
    _background: Background = field(init=False)

    def __post_init__(self) -> None:
        """Make the thread's work known; it starts with the first move."""
        self._background = Background(self._send_all)

    @property
    def logged_out(self) -> bool:
        """Whether the labeler wants a new login before anything else is sent."""
        return self._ended == self.login

    def end(self, login: str) -> None:
        """Remember that this login has ended."""
        self._ended = login

    def use(self, client: LabelerClient, login: str) -> None:
        """Send with this client from now on, which stays in the login of this name."""
        with self.lock:
            self._client, self.login = client, login

    def take(self, moves: list[Move]) -> None:
        """Take the moves that are new."""
        with self.lock:
            if self.ledger.take(moves):
                self._nudge.set()

    def wake(self) -> None:
        """See to it that what is unfinished is sent; returns at once."""
        with self.lock:
            unfinished = bool(self.ledger.unfinished())
        if unfinished and not self.logged_out:
            self._background.wake()

    def step(self) -> Progress:
        """Send one move. `wait`: something is unavailable, try again later; `idle`: there is nothing to send."""
        with self.lock:
            due, client, login = self.ledger.next(), self._client, self.login
        if due is None or client is None:
            return "idle"
        if isinstance(due, Look):
            return self._look(due.move, client, login)
        move, correction = due
        if isinstance(correction, PendingSkip):
            return self._skip(move, correction, client, login)
        sent = send_once(client, correction, UNAVAILABLE, LOGGED_OUT)
        with self.lock:
            self.sent[move.key] = sent
            self.ledger.record(move, sent)
        if sent.logged_out:
            self.end(login)
        return "wait" if sent.outcome == "unsent" else "sent"

    def outcome(self, key: str) -> Outcome | None:
        """Return what became of a move; None while it waits."""
        return self.ledger.outcomes.get(key)

    def _skip(self, move: Move, skip: PendingSkip, client: LabelerClient, login: str) -> Progress:
        """Let the labeler keep what is left for later, or forget it. What it refuses (the image was withdrawn) needs
        neither."""
        outcome = Outcome("left")
        try:
            client.send(skip_image(skip.image_id, skip.revision or 0, later=skip.revision is not None), UNAVAILABLE)
        except TransientError as error:
            outcome = Outcome("unsent", str(error))
        except LoggedOut:
            outcome = Outcome("unsent", LOGGED_OUT)
            self.end(login)
        except (Declined, Superseded):
            pass
        with self.lock:
            self.ledger.keep(move, outcome)
        return "sent" if outcome.final else "wait"

    def _look(self, move: Move, client: LabelerClient, login: str) -> Progress:
        """Ask for the revision of a label that the log has."""
        followed = FollowedCorrection.start(self.sent[move.key])
        try:
            followed.look(client)
        except (TransientError, Declined):
            return "wait"
        except LoggedOut:
            self.end(login)
            return "wait"
        with self.lock:
            self.sent[move.key] = followed.sent
            known = self.ledger.outcomes[move.key]
            entry = followed.entry
            if entry is not None and entry.state == "superseded":
                self.ledger.outcomes[move.key] = Outcome("declined", "Another label came first.")
                return "sent"
            if followed.sent.revision is None:
                return "wait"
            self.ledger.outcomes[move.key] = replace(known, state="applied", revision=followed.sent.revision)
        return "sent"

    def _send_all(self) -> None:
        pause = FIRST_RETRY_SECONDS
        while (progress := self.step()) != "idle":
            if self.logged_out:
                return
            pause = FIRST_RETRY_SECONDS if progress == "sent" else min(pause * 2, LAST_RETRY_SECONDS)
            if progress == "wait":
                self._nudge.clear()
                self._nudge.wait(pause)
