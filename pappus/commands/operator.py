"""`pappus train | rollback | approve | override | freeze | unfreeze`: what an operator requests."""

from typing import Annotated
from uuid import UUID

import typer

from pappus.commands.chosen import Chosen, about_installation
from pappus.commands.options import REASON_HELP, Reason
from pappus.commands.screen import console
from pappus.errors import Refused
from pappus.installation.access import Installation
from shared.clients.answers import Accepted
from shared.clients.labeler import GateAction, ask_gate, request_training

REQUESTED_BY_HAND = "asked for by hand"
Version = Annotated[str, typer.Argument(help="A version: pappus history")]


@about_installation
def train(chosen: Chosen, reason: Reason = REQUESTED_BY_HAND) -> None:
    """Request a full training now."""

    async def work(installation: Installation) -> None:
        async with installation.labeler_as("operator") as operator:
            event_id = (await operator.send(request_training(reason))).event_id
            console.print(_requested(event_id, installation.logs_of("trainer-full")))

    chosen.attempt(work)


@about_installation
def rollback(
    chosen: Chosen,
    version: Annotated[str, typer.Argument(help="A version that served before: pappus history")],
    reason: Reason = REQUESTED_BY_HAND,
) -> None:
    """Serve an earlier version again and freeze promotions, so that nothing replaces it until `pappus unfreeze`."""
    _ask_gate("rollback", reason, version, chosen)


@about_installation
def approve(chosen: Chosen, version: Version, reason: Reason = REQUESTED_BY_HAND) -> None:
    """Promote a candidate that passes the gate now, for example one that was trained while promotions were frozen."""
    _ask_gate("approve", reason, version, chosen)


@about_installation
def override(chosen: Chosen, version: Version, reason: Annotated[str, typer.Option(help=REASON_HELP)]) -> None:
    """Promote a model against the verdict of the gate. It still has to load and to answer."""
    _ask_gate("override", reason, version, chosen)


@about_installation
def freeze(chosen: Chosen, reason: Reason = REQUESTED_BY_HAND) -> None:
    """Promote nothing until `pappus unfreeze`."""
    _ask_gate("freeze", reason, None, chosen)


@about_installation
def unfreeze(chosen: Chosen, reason: Reason = REQUESTED_BY_HAND) -> None:
    """Allow promotions again; corrections made meanwhile become live."""
    _ask_gate("unfreeze", reason, None, chosen)


def _ask_gate(action: GateAction, reason: str, version: str | None, chosen: Chosen) -> None:
    async def work(installation: Installation) -> None:
        async with installation.labeler_as("operator") as operator:
            answer = await operator.send(ask_gate(action, reason, version))
            if isinstance(answer, Accepted):
                console.print(_requested(answer.event_id, installation.logs_of("trainer-gate")))
                return
            if answer.outcome == "rejected":
                raise Refused(f"The gate rejected the request: {answer.summary}")
            console.print(answer.summary)

    chosen.attempt(work)


def _requested(event_id: UUID, logs: str) -> str:
    return f"Requested as {event_id}. See the result: pappus history. If nothing new appears: {logs}"
