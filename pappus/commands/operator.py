"""`pappus train | rollback | approve | override | freeze | unfreeze`: what an operator requests."""

from typing import TYPE_CHECKING, Annotated

import typer

from pappus.commands.chosen import Chosen, about_installation
from pappus.commands.options import REASON_HELP, As, Reason
from pappus.terminal.output import Json, Output

if TYPE_CHECKING:
    from pappus.installation.access import Installation
    from shared.clients.labeler import GateAction

REQUESTED_BY_HAND = "asked for by hand"
Version = Annotated[str, typer.Argument(help="A version: pappus history")]


@about_installation
def train(
    chosen: Chosen,
    reason: Reason = REQUESTED_BY_HAND,
    wait: Annotated[
        int | None, typer.Option(min=1, metavar="SECONDS", help="Wait so long for the model and its verdict.")
    ] = None,
    as_name: As = None,
    as_json: Json = False,
) -> None:
    """Request a full training now."""

    async def work(installation: "Installation") -> None:
        from pappus.actions import operator

        await operator.train(installation, Output(as_json), reason, wait)

    chosen.acting_as(as_name).attempt(work)


@about_installation
def rollback(
    chosen: Chosen,
    version: Annotated[str, typer.Argument(help="A version that served before: pappus history")],
    reason: Reason = REQUESTED_BY_HAND,
    as_name: As = None,
    as_json: Json = False,
) -> None:
    """Serve an earlier version again and freeze promotions, so that nothing replaces it until `pappus unfreeze`."""
    _ask_gate("rollback", reason, version, chosen.acting_as(as_name), Output(as_json))


@about_installation
def approve(
    chosen: Chosen,
    version: Version,
    reason: Reason = REQUESTED_BY_HAND,
    as_name: As = None,
    as_json: Json = False,
) -> None:
    """Promote a candidate that passes the gate now, for example one that was trained while promotions were frozen."""
    _ask_gate("approve", reason, version, chosen.acting_as(as_name), Output(as_json))


@about_installation
def override(
    chosen: Chosen,
    version: Version,
    reason: Annotated[str, typer.Option(help=REASON_HELP)],
    as_name: As = None,
    as_json: Json = False,
) -> None:
    """Promote a model against the verdict of the gate. It still has to load and to answer."""
    _ask_gate("override", reason, version, chosen.acting_as(as_name), Output(as_json))


@about_installation
def freeze(chosen: Chosen, reason: Reason = REQUESTED_BY_HAND, as_name: As = None, as_json: Json = False) -> None:
    """Promote nothing until `pappus unfreeze`."""
    _ask_gate("freeze", reason, None, chosen.acting_as(as_name), Output(as_json))


@about_installation
def unfreeze(chosen: Chosen, reason: Reason = REQUESTED_BY_HAND, as_name: As = None, as_json: Json = False) -> None:
    """Allow promotions again; corrections made meanwhile become live."""
    _ask_gate("unfreeze", reason, None, chosen.acting_as(as_name), Output(as_json))


def _ask_gate(action: "GateAction", reason: str, version: str | None, chosen: Chosen, output: Output) -> None:
    async def work(installation: "Installation") -> None:
        from pappus.actions import operator

        await operator.ask_gate(installation, output, action, reason, version)

    chosen.attempt(work)
