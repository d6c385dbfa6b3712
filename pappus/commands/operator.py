"""`pappus train | rollback | approve | override | freeze | unfreeze`: what an operator requests."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from pappus.commands.options import REASON_HELP, Reason, StateOption, attempt, state_folder
from pappus.commands.screen import console
from pappus.errors import Refused
from pappus.stack_client import RunningStack
from shared.clients.answers import Accepted
from shared.clients.labeler import GateAction, ask_gate, request_training

REQUESTED_BY_HAND = "asked for by hand"
Version = Annotated[str, typer.Argument(help="A version: pappus history")]


def train(reason: Reason = REQUESTED_BY_HAND, state: StateOption = None) -> None:
    """Request a full training now."""

    async def work() -> None:
        stack = RunningStack.find(state_folder(state))
        async with stack.labeler_as("operator") as operator:
            event_id = (await operator.send(request_training(reason))).event_id
            console.print(_requested(event_id, "trainer-full"))

    attempt(work, state)


def rollback(
    version: Annotated[str, typer.Argument(help="A version that served before: pappus history")],
    reason: Reason = REQUESTED_BY_HAND,
    state: StateOption = None,
) -> None:
    """Serve an earlier version again and freeze promotions, so that nothing replaces it until `pappus unfreeze`."""
    _ask_gate("rollback", reason, version, state)


def approve(version: Version, reason: Reason = REQUESTED_BY_HAND, state: StateOption = None) -> None:
    """Promote a candidate that passes the gate now, for example one that was trained while promotions were frozen."""
    _ask_gate("approve", reason, version, state)


def override(
    version: Version, reason: Annotated[str, typer.Option(help=REASON_HELP)], state: StateOption = None
) -> None:
    """Promote a model against the verdict of the gate. It still has to load and to answer."""
    _ask_gate("override", reason, version, state)


def freeze(reason: Reason = REQUESTED_BY_HAND, state: StateOption = None) -> None:
    """Promote nothing until `pappus unfreeze`."""
    _ask_gate("freeze", reason, None, state)


def unfreeze(reason: Reason = REQUESTED_BY_HAND, state: StateOption = None) -> None:
    """Allow promotions again; corrections made meanwhile become live."""
    _ask_gate("unfreeze", reason, None, state)


def _ask_gate(action: GateAction, reason: str, version: str | None, state: Path | None) -> None:
    async def work() -> None:
        stack = RunningStack.find(state_folder(state))
        async with stack.labeler_as("operator") as operator:
            answer = await operator.send(ask_gate(action, reason, version))
            if isinstance(answer, Accepted):
                console.print(_requested(answer.event_id, "trainer-gate"))
                return
            if answer.outcome == "rejected":
                raise Refused(f"The gate rejected the request: {answer.summary}")
            console.print(answer.summary)

    attempt(work, state)


def _requested(event_id: UUID, component: str) -> str:
    return f"Requested as {event_id}. See the result: pappus history. If nothing new appears: pappus logs {component}"
