"""`pappus keys add | ls | remove`: the machines that may ask the predictor."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from pappus.commands.options import StateOption, refusals, state_folder
from pappus.commands.screen import console
from pappus.stack.keys import Keys

keys = typer.Typer(
    help="API keys of machines for the predictor, which is open until the first is added.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="What the key is called in logs and metrics.")]
PerMinute = Annotated[
    int | None, typer.Option("--per-minute", min=1, help="Requests a minute to each replica; default: any number.")
]


@keys.command("ls")
def list_keys(state: StateOption = None) -> None:
    """Show names and limits. The keys themselves are not kept."""
    with refusals(state):
        found = Keys(state_folder(state)).all()
    if not found:
        console.print("There are no API keys: predictors answer without one.")
        return
    table = Table("name", "a minute", box=None, pad_edge=False)
    for key in found:
        table.add_row(Text(key.name), str(key.per_minute or "any number"))
    console.print(table)


@keys.command()
def add(name: Name, per_minute: PerMinute = None, state: StateOption = None) -> None:
    """Add a key, and show it: this once."""
    with refusals(state):
        keys = Keys(state_folder(state))
        first = not keys.asked_for
        made = keys.add(name, per_minute)
    if first:
        console.print("Predictors ask for a key from their next start on: `pappus up` restarts those that run.")
    console.print(Text(f"Key of {name}, shown only now: {made}"), soft_wrap=True)


@keys.command()
def remove(name: Name, state: StateOption = None) -> None:
    """Remove a key; it is refused a second or two later."""
    with refusals(state):
        Keys(state_folder(state)).remove(name)
    console.print(Text(f"The key {name} is gone."), soft_wrap=True)
