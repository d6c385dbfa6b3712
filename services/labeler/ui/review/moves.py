"""Moves of a person in Review: a numbered list comes in, commands go out, and their outcomes are kept. Pure.

The browser numbers its moves and lists those that are not confirmed, again and again: after each key, after a reload,
from two tabs. A move is known by its key, which is also the idempotency key of its command, so it is carried out once,
however often and in which order lists arrive. A move that stands on an earlier one of the same image (an undo, a label
after an undo) names it in `after`, since its revision may not be known yet when the key is pressed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.labeler.ui.sessions.corrections import PendingCorrection, SentCorrection
from shared.contract.events import NoLabel

MOST_AT_ONCE = 1000
"""More moves of one list are not read; a person makes some twenty before they are confirmed."""


class Shown(BaseModel):
    """The answer of the model that the person saw."""

    model_config = ConfigDict(frozen=True, protected_namespaces=(), extra="ignore")
    prediction_id: UUID
    model_version: str = Field(max_length=200)
    label: str = Field(max_length=200)
    probability: float = Field(ge=0, le=1)


class Move(BaseModel):
    """What a person did with an image: gave it a label, said why it has none, left it for later, or undid the move
    `of`. `number` is its place in the list of its tab. It was seen at `revision`; None if that is the revision of the
    move `after`. `queue` is the one it was made in; `undoes`: what an undo takes back, None if that is not known."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    number: int = Field(ge=1)
    key: str = Field(min_length=8, max_length=64)
    kind: Literal["label", "no_label", "later", "undo"]
    image_id: UUID
    label: str | None = Field(default=None, max_length=200)
    no_label: NoLabel | None = None
    label_before: str | None = Field(default=None, max_length=200)
    reason: str = Field(default="", max_length=2000)
    revision: int | None = Field(default=None, ge=0, le=2**31 - 2)
    after: str | None = Field(default=None, max_length=64)
    of: str | None = Field(default=None, max_length=64)
    undoes: Literal["later", "decision"] | None = None
    queue: str = Field(default="doubtful", max_length=200)
    shown: Shown | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a move. `left`: no label had to be sent, as for an image that is left for later. The others are
    those of `SentCorrection`; of a `superseded` move `label` and `revision` are the current ones."""

    state: Literal["left", "applied", "voted", "accepted", "unsent", "superseded", "declined"]
    detail: str = ""
    label: str | None = None
    revision: int | None = None
    event_id: UUID | None = None

    @property
    def final(self) -> bool:
        """Whether the move need not be sent again."""
        return self.state != "unsent"


@dataclass(frozen=True)
class PendingSkip:
    """An image that was seen at `revision` is to be kept for later, or (None) no longer."""

    image_id: UUID
    revision: int | None


@dataclass(frozen=True)
class Look:
    """The log has the label of `move`, and its revision has to be asked for before the next move of the image."""

    move: Move


SETTLED_IN = "people_disagree"
"""The queue in which what a person says is no vote."""
MINE = "my_skipped"
"""The queue of what this person left for later: there it stays so until it is decided about."""
LOST = "It is not known any more what this stood on. Look at the image again."


@dataclass
class Ledger:
    """The moves of a review in the order in which they were made, and what became of them, by key."""

    moves: dict[str, Move] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def take(self, listed: Iterable[Move]) -> list[Move]:
        """Remember the moves that are new. Return these, in their order."""
        new = {move.key: move for move in sorted(listed, key=lambda move: move.number) if move.key not in self.moves}
        self.moves |= new
        return list(new.values())

    def next(self) -> tuple[Move, PendingCorrection | PendingSkip] | Look | None:
        """Return the first move that can be sent now, with its command; or that a revision must be looked up first;
        None if there is nothing to send. Moves of one image are sent in their order."""
        waiting: set[UUID] = set()
        look: Look | None = None
        for move in self.moves.values():
            if (known := self.outcomes.get(move.key)) is not None and known.final:
                continue
            if move.image_id in waiting:
                continue
            found = self._command(move)
            if isinstance(found, Outcome):
                self.outcomes[move.key] = found
            elif isinstance(found, PendingCorrection | PendingSkip):
                return move, found
            else:
                waiting.add(move.image_id)
                look = look or found
        return look

    def record(self, move: Move, sent: SentCorrection) -> Outcome:
        """Remember and return what became of a move that was sent."""
        return self.keep(move, Outcome(sent.outcome, sent.detail, sent.label, sent.revision, sent.event_id))

    def keep(self, move: Move, outcome: Outcome) -> Outcome:
        """Remember and return what became of a move; a final outcome stays."""
        if not outcome.final and (before := self.outcomes.get(move.key)) is not None and before.final:
            return before
        self.outcomes[move.key] = outcome
        return outcome

    def standing(self, queue: str = "doubtful") -> dict[UUID, Move]:
        """Return, for each image that needs no look now, the last move about it that stands. What was left for later in
        another queue than this needs one."""
        undone = {move.of for move in self.moves.values() if move.kind == "undo"}
        return {
            move.image_id: move
            for move in self.moves.values()
            if move.kind != "undo"
            and move.key not in undone
            and not self._bounced(move.key)
            and (move.kind != "later" or move.queue == queue)
        }

    def unfinished(self) -> list[Move]:
        """Return the moves whose outcome is not final."""
        return [move for move in self.moves.values() if not self._final(move.key)]

    def _final(self, key: str) -> bool:
        return (outcome := self.outcomes.get(key)) is not None and outcome.final

    def _bounced(self, key: str) -> bool:
        """Return whether the move changed nothing, so that the image needs another look."""
        outcome = self.outcomes.get(key)
        if outcome is None or outcome.state not in ("superseded", "declined"):
            return False
        return not (outcome.state == "superseded" and outcome.label == self.moves[key].label)

    def _command(self, move: Move) -> PendingCorrection | PendingSkip | Outcome | Look | None:
        """Return the command of a move, its outcome if there is nothing to send, a Look if its revision has to be
        asked for, or None if it has to wait for the move it stands on."""
        if move.kind == "undo" and self._undoes_later(move):
            return Outcome("left") if move.queue == MINE else PendingSkip(move.image_id, None)
        revision = move.revision
        if revision is None:
            before = self.outcomes.get(move.after or "")
            if before is None or not before.final:
                if move.after in self.moves:
                    return None
                before = Outcome("declined", LOST)
            if before.state in ("superseded", "declined"):
                return Outcome("left") if move.kind == "later" else before
            if before.revision is None:
                return Look(self.moves[move.after or ""])
            revision = before.revision
        return PendingSkip(move.image_id, revision) if move.kind == "later" else _pending(move, revision)

    def _undoes_later(self, move: Move) -> bool:
        undone = self.moves.get(move.of or "")
        return undone.kind == "later" if undone is not None else move.undoes == "later"


def read_moves(listed: object) -> list[Move]:
    """Return the moves in what a browser sent; those that cannot be read are left out."""
    if not isinstance(listed, Sequence):
        return []
    moves = []
    for each in listed[:MOST_AT_ONCE]:
        try:
            moves.append(Move.model_validate(each))
        except ValidationError:
            continue
    return moves


def _pending(move: Move, revision: int) -> PendingCorrection:
    shown = move.shown
    return PendingCorrection(
        image_id=move.image_id,
        label=move.label if move.kind == "label" else None,
        label_before=move.label_before,
        revision=revision,
        key=move.key,
        no_label="withdrawn" if move.kind == "undo" else move.no_label if move.kind == "no_label" else None,
        reason=move.reason,
        vote=move.queue != SETTLED_IN,
        prediction_id=shown.prediction_id if shown else None,
        shown_model_version=shown.model_version if shown else None,
        shown_label=shown.label if shown else None,
        shown_probability=shown.probability if shown else None,
    )
