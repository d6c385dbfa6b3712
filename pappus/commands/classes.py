"""`pappus classes ls | add | rename`: what images can show, changed while everything runs."""

from typing import TYPE_CHECKING, Annotated

import typer

from pappus.commands.chosen import Chosen, about_installation
from pappus.commands.group import CommandGroup
from pappus.commands.options import As, Reason
from pappus.terminal.listing import LIMIT, Limit
from pappus.terminal.output import Json, Output

if TYPE_CHECKING:
    from pappus.installation.access import Installation

app = typer.Typer(
    help="What images can show: list the classes, add one or rename one, while everything runs.",
    cls=CommandGroup,
    no_args_is_help=True,
)
REQUESTED_BY_HAND = "asked for by hand"


@app.command("ls")
@about_installation
def list_classes(chosen: Chosen, limit: Limit = LIMIT, as_name: As = None, as_json: Json = False) -> None:
    """Show the classes, how many images have each, and whether the model in service has learned it."""

    async def work(installation: "Installation") -> None:
        from pappus.actions import classes

        await classes.show(installation, Output(as_json), limit)

    chosen.acting_as(as_name).attempt(work)


@app.command()
@about_installation
def add(
    chosen: Chosen,
    name: Annotated[str, typer.Argument(help="What it is called; for programs it is called so for good.")],
    reason: Reason = REQUESTED_BY_HAND,
    as_name: As = None,
    as_json: Json = False,
) -> None:
    """Add a class: images can have it at once, and the model learns it from the first correction on."""

    async def work(installation: "Installation") -> None:
        from pappus.actions import classes

        await classes.add(installation, Output(as_json), name, reason)

    chosen.acting_as(as_name).attempt(work)


@app.command()
@about_installation
def rename(
    chosen: Chosen,
    label: Annotated[str, typer.Argument(metavar="CLASS", help="Its label, or a name that it has or had.")],
    name: Annotated[str, typer.Argument(help="What people call it from now on.")],
    reason: Reason = REQUESTED_BY_HAND,
    as_name: As = None,
    as_json: Json = False,
) -> None:
    """Change what people call a class. No label, model or program changes."""

    async def work(installation: "Installation") -> None:
        from pappus.actions import classes

        await classes.rename(installation, Output(as_json), label, name, reason)

    chosen.acting_as(as_name).attempt(work)
