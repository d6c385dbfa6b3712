"""Deciders: publish a decision, wait until the tables show it, look whether it counts, and decide again if it does not.

The log decides races: an event may come second to another with the same number, and then no reader follows it. A
handler that publishes and returns cannot know; a decider looks.
"""

from typing import Protocol, TypeVar

from shared.contract.events import Event
from shared.messaging.event_log import Publisher
from shared.runtime.errors import TransientError
from shared.tables.database import Database
from shared.tables.projection import wait_until_projected

MOST_DECISIONS = 5

State = TypeVar("State")
Outcome = TypeVar("Outcome", covariant=True)


class Case(Protocol[State, Outcome]):
    """One question that gets one answer, and how the tables show it."""

    async def read_state(self) -> State:
        """Return what the decision depends on, with the number that the next event takes."""

    async def find_outcome(self) -> Outcome | None:
        """Return the answer that counts; None while there is none."""

    async def decide(self, state: State) -> Event:
        """Return the answer as an event. Its id depends on the case and the number, so that the same decision is the
        same event."""


async def run_decider(
    case: Case[State, Outcome],
    *,
    publisher: Publisher,
    database: Database,
    projected_seconds: float,
    most_decisions: int = MOST_DECISIONS,
) -> Outcome:
    """Decide and publish until an answer counts, and return it; nothing is published if there is one already.

    The state is read before the outcome: an answer that comes in between makes the decision second to it, so a case
    never gets two answers that count. The tables must have been caught up before, else an earlier answer may be missed.
    `projected_seconds` bounds the wait for the tables after each publication.

    Raises:
        TransientError: after `most_decisions` none counts, the tables did not follow, or a dependency is away.
    """
    for decisions in range(most_decisions + 1):
        state = await case.read_state()
        outcome = await case.find_outcome()
        if outcome is not None:
            return outcome
        if decisions < most_decisions:
            published = await publisher.publish([await case.decide(state)])
            await wait_until_projected(database, published, projected_seconds)
    raise TransientError(
        f"After {most_decisions} decisions none counts: another process publishes the same numbers. Stop one of them."
    )
