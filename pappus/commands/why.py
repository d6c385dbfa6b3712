"""`pappus why`: how an answer, a model or the label of an image came about, in sentences."""

from typing import TYPE_CHECKING, Annotated

import typer

from pappus.commands.chosen import Chosen, about_installation
from pappus.commands.options import As
from pappus.terminal.listing import LIMIT, Limit
from pappus.terminal.output import Json, Output

if TYPE_CHECKING:
    from pappus.installation.access import Installation


@about_installation
def why(
    chosen: Chosen,
    about: Annotated[str, typer.Argument(help="A prediction id, a model version, an image id, a sha256 or a file.")],
    limit: Limit = LIMIT,
    as_name: As = None,
    as_json: Json = False,
) -> None:
    """Explain an answer, a model or an image: what led to it, who decided what and why, and what came of it."""

    async def work(installation: "Installation") -> None:
        from pappus.actions import why

        await why.explain(installation, Output(as_json), about, limit)

    chosen.acting_as(as_name).attempt(work)
