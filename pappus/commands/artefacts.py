"""`pappus artefacts`: the files of models, and which of them go."""

from pappus.commands.options import StateOption, attempt
from pappus.terminal.listing import LIMIT, Limit
from pappus.terminal.output import Json, Output


def artefacts(limit: Limit = LIMIT, as_json: Json = False, state: StateOption = None) -> None:
    """Show how many files of models are kept and why, and which ones are deleted next. Deletes nothing: the trainer
    does, once an hour."""

    async def work() -> None:
        from pappus.actions import lineage
        from pappus.stack.stack import Stack

        await lineage.show_artefacts(Stack(state), Output(as_json), limit)

    attempt(work, state)
