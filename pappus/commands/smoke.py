"""`pappus smoke`: does a whole installation work?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pappus.commands.chosen import Chosen, about_installation
from pappus.terminal.output import Json, Output

if TYPE_CHECKING:
    from pappus.installation.access import Installation


@about_installation
def smoke(
    chosen: Chosen,
    image: Annotated[Path | None, typer.Option(help="The image to send; without it, one is drawn.")] = None,
    as_json: Json = False,
) -> None:
    """Send one image through the installation: upload, predict, correct, the other answer, rollback, and all as before.
    Takes seconds; exit code 0 if every step worked, 1 if not."""

    async def work(installation: "Installation") -> None:
        from pappus.actions import smoke

        await smoke.smoke(installation, Output(as_json), image)

    chosen.attempt(work)
