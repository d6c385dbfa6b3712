"""`pappus withdraw`: take images back."""

from typing import TYPE_CHECKING, Annotated

import typer

from pappus.commands.chosen import Chosen, about_installation
from pappus.commands.options import As, Reason
from pappus.errors import Refused
from pappus.terminal.output import Json, Output

if TYPE_CHECKING:
    from pappus.installation.access import Installation


@about_installation
def withdraw(
    chosen: Chosen,
    image: Annotated[str, typer.Argument(help="An image id, the sha256 of the bytes, or a file.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before.")] = False,
    reason: Reason = "",
    as_name: As = None,
    as_json: Json = False,
) -> None:
    """Take an image back for good: its bytes and what was computed from them are deleted, no model is made from it any
    more, and the same bytes are refused. The answer names the models that saw it. For operators."""

    def confirm(question: str) -> None:
        if not yes:
            typer.confirm(question, abort=True, err=True)

    async def work(installation: "Installation") -> None:
        from pappus.actions import withdrawal

        if not reason.strip():
            raise Refused("Say why, with --reason: it is told to people who upload the same bytes again.")
        if as_json and not yes:
            raise Refused("With --json nothing is asked: give --yes, too.")
        await withdrawal.withdraw(installation, Output(as_json), image, reason, confirm)

    chosen.acting_as(as_name).attempt(work)
