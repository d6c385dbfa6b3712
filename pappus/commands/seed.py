"""`pappus seed`: put images into `plants_data` and wait until each has an outcome."""

from typing import TYPE_CHECKING, Annotated

import typer

from pappus.commands.chosen import ELSEWHERE, Chosen, about_installation
from pappus.terminal.output import Json, Output

if TYPE_CHECKING:
    from pappus.installation.access import Installation

REJECTED_SHOWN = 10
ImagesOption = Annotated[
    str | None,
    typer.Option(
        "--images",
        help="A folder with <label>/*.jpg, or a URL template with {label} and {number}. Without it: public dandelion "
        "and grass photographs if they can be reached, else drawn ones.",
    ),
]
ServeOnOption = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Where to serve images of a folder.", rich_help_panel=ELSEWHERE),
]
ServeAsOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where the ingestor reaches them; the host is in its PAPPUS_ALLOWED_HOSTS.",
        rich_help_panel=ELSEWHERE,
    ),
]


@about_installation
def seed(
    chosen: Chosen,
    images: ImagesOption = None,
    serve_on: ServeOnOption = None,
    serve_as: ServeAsOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many rejected images to name.")] = REJECTED_SHOWN,
    as_json: Json = False,
) -> None:
    """Insert images with their labels into plants_data and wait until each has an outcome. Repeating adds nothing."""

    async def work(installation: "Installation") -> None:
        from pappus.actions import seed

        await seed.seed(installation, Output(as_json), images, limit)

    chosen.also(serve_on=serve_on, serve_as=serve_as).attempt(work)
