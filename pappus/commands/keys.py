"""`pappus keys add | ls | remove`: the machines that may ask the predictor."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pappus.commands.group import CommandGroup
from pappus.commands.options import StateOption, refusals, state_folder
from pappus.terminal.listing import LIMIT, Column, Limit, Listing, left_out
from pappus.terminal.output import Json, Output

if TYPE_CHECKING:
    from pappus.stack.keys import Keys

keys = typer.Typer(
    help="API keys of machines for the predictor, which is open until the first is added.",
    cls=CommandGroup,
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="What the key is called in logs and metrics.")]
PerMinute = Annotated[
    int | None, typer.Option("--per-minute", min=1, help="Requests a minute to each replica; default: any number.")
]


@keys.command("ls")
def list_keys(limit: Limit = LIMIT, as_json: Json = False, state: StateOption = None) -> None:
    """Show names and limits. The keys themselves are not kept."""
    output = Output(as_json)
    with refusals(state):
        found = _keys(state).all()
    table = Listing(Column("name", whole=True), Column("a minute", whole=True))
    for key in found[:limit]:
        table.add(key.name, str(key.per_minute or "any number"))
    output.show(table if found else "There are no API keys: predictors answer without one.")
    output.note(left_out(len(found), limit, "keys"))
    shown = [{"name": key.name, "per_minute": key.per_minute} for key in found[:limit]]
    output.give({"keys": shown, "more": len(found) > limit})


@keys.command()
def add(name: Name, per_minute: PerMinute = None, as_json: Json = False, state: StateOption = None) -> None:
    """Add a key, and show it: this once."""
    output = Output(as_json)
    with refusals(state):
        keys = _keys(state)
        first = not keys.asked_for
        made = keys.add(name, per_minute)
    if first:
        output.say("Predictors ask for a key from their next start on: `pappus up` restarts those that run.")
    output.say(f"Key of {name}, shown only now: {made}")
    output.give({"name": name, "key": made, "per_minute": per_minute, "first": first})


@keys.command()
def remove(name: Name, as_json: Json = False, state: StateOption = None) -> None:
    """Remove a key; it is refused a second or two later."""
    output = Output(as_json)
    with refusals(state):
        _keys(state).remove(name)
    output.say(f"The key {name} is gone.")
    output.give({"removed": name})


def _keys(state: Path | None) -> "Keys":
    from pappus.stack.keys import Keys

    return Keys(state_folder(state))
