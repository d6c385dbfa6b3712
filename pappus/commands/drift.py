"""`pappus drift`: whether pictures and answers are still what they were, and how often people agree."""

from typing import TYPE_CHECKING, Annotated

import typer

from pappus.commands.chosen import Chosen, about_installation
from pappus.commands.options import As
from pappus.terminal.listing import LIMIT
from pappus.terminal.output import Json, Output

if TYPE_CHECKING:
    from pappus.installation.access import Installation

MOST_DRIFTS = 999


@about_installation
def drift(
    chosen: Chosen,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=MOST_DRIFTS, help="How many to show at most, the newest.")
    ] = LIMIT,
    as_name: As = None,
    as_json: Json = False,
) -> None:
    """Show when pictures or people's agreement changed, and how often people agree with the model in service."""

    async def work(installation: "Installation") -> None:
        from pappus.actions import drift

        await drift.show_drifts(installation, Output(as_json), limit)

    chosen.acting_as(as_name).attempt(work)
