"""`pappus blame`: what a person decided, and the way to take it out."""

from typing import TYPE_CHECKING, Annotated

import typer

from pappus.commands.chosen import Chosen, about_installation
from pappus.commands.options import As, Reason
from pappus.errors import Refused
from pappus.terminal.listing import LIMIT, Limit
from pappus.terminal.output import Json, Output

if TYPE_CHECKING:
    from pappus.installation.access import Installation


@about_installation
def blame(
    chosen: Chosen,
    person: Annotated[str, typer.Argument(help="The name of a login.")],
    take_out: Annotated[
        bool, typer.Option("--take-out", help="Take out all that still holds: what other people decided holds again.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what --take-out would do.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before --take-out.")] = False,
    reason: Reason = "",
    limit: Limit = LIMIT,
    as_name: As = None,
    as_json: Json = False,
) -> None:
    """Show what a person decided: what of it holds, what others overturned, what contradicts model and data set, and
    which model holds it. An operator may take all of it out."""

    def confirm(question: str) -> None:
        if not yes:
            typer.confirm(question, abort=True, err=True)

    async def work(installation: "Installation") -> None:
        from pappus.actions import blame

        if dry_run and not take_out:
            raise Refused("--dry-run says what --take-out would do: give both.")
        if take_out and as_json and not (yes or dry_run):
            raise Refused("With --json nothing is asked: give --yes or --dry-run, too.")
        if not take_out or dry_run:
            await blame.show(installation, Output(as_json), person, limit, take_out)
            return
        await blame.take_out(installation, Output(as_json), person, reason, confirm)

    chosen.acting_as(as_name).attempt(work)
