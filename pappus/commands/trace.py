"""`pappus trace`: what happened to an image, a prediction or a model, in every service, drawn in the terminal."""

from typing import TYPE_CHECKING, Annotated

import typer

from pappus.commands.chosen import Chosen, about_installation
from pappus.terminal.output import Json, Output

if TYPE_CHECKING:
    from pappus.installation.access import Installation

SHOWN = 10


@about_installation
def trace(
    chosen: Chosen,
    about: Annotated[
        str, typer.Argument(help="An image id, a prediction id, an event id, a model version, or a trace id.")
    ],
    jaeger: Annotated[str | None, typer.Option(metavar="URL", help="Jaeger, if it is not that of the stack.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many traces to show, the newest.")] = SHOWN,
    as_json: Json = False,
) -> None:
    """Draw the traces of something: each step in each service, and how long it took."""

    async def work(installation: "Installation") -> None:
        from pappus.actions import trace

        await trace.trace(installation, Output(as_json), about, limit)

    chosen.also(jaeger=jaeger).attempt(work)
