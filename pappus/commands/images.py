"""`pappus predict | correct | history`: images, their answers and their labels."""

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pappus.commands.chosen import Chosen, about_installation
from pappus.commands.options import As, Reason
from pappus.errors import Refused
from pappus.terminal.listing import LIMIT
from pappus.terminal.output import Json, Output

if TYPE_CHECKING:
    from pappus.installation.access import Installation

NoLabelOption = Literal["unsure", "none_of_these", "unusable"]
MOST_MODELS = 1000
VERSION = re.compile(r"(full|fast)-[0-9a-f]+")


@about_installation
def predict(
    chosen: Chosen, files: Annotated[list[Path], typer.Argument(help="Image files.")], as_json: Json = False
) -> None:
    """Classify image files with the model in service."""

    async def work(installation: "Installation") -> None:
        from pappus.actions import images

        await images.predict(installation, Output(as_json), files)

    chosen.attempt(work)


@about_installation
def correct(
    chosen: Chosen,
    image: Annotated[str, typer.Argument(help="An image id, the sha256 of the bytes, or a file.")],
    label: Annotated[str | None, typer.Argument(help="The right label.")] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take the last label back.")] = False,
    no_label: Annotated[NoLabelOption | None, typer.Option(help="Say why the image has no label.")] = None,
    reason: Reason = "",
    as_name: As = None,
    as_json: Json = False,
) -> None:
    """Set the label of an image, or take it away. A file that is not stored yet is uploaded first."""

    async def work(installation: "Installation") -> None:
        from pappus.actions import images
        from shared.runtime.text import clean_typed

        if (label is not None) + withdraw + (no_label is not None) != 1:
            raise Refused("Say one thing about the image: a label, or --withdraw, or --no-label WHY.")
        typed = None if label is None else clean_typed(label)
        said = images.Correction(typed, "withdrawn" if withdraw else no_label, reason)
        await images.correct(installation, Output(as_json), image, said)

    chosen.acting_as(as_name).attempt(work)


@about_installation
def history(
    chosen: Chosen,
    image: Annotated[
        str | None, typer.Argument(help="An image id, a sha256, a file or a version; without it, the models.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=MOST_MODELS, help="How many to show at most, the newest.")
    ] = LIMIT,
    as_name: As = None,
    as_json: Json = False,
) -> None:
    """Show every label an image had, who set it and which model learned it; or the verdict on a version, rule by rule;
    without either, the newest models with their verdicts."""

    async def work(installation: "Installation") -> None:
        from pappus.actions import images

        if image is None:
            show = images.show_models
        elif VERSION.fullmatch(image):
            show = partial(images.show_model, version=image)
        else:
            show = partial(images.show_labels, image=image)
        await show(installation, Output(as_json), limit=limit)

    chosen.acting_as(as_name).attempt(work)
