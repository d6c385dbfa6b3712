"""`pappus restart | stop | env`: single components of a running stack."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pappus.commands.options import StateOption, refusals
from pappus.terminal.output import Json, Output
from pappus.terminal.progress import Progress, stopping
from pappus.terminal.screen import errors

if TYPE_CHECKING:
    from pappus.stack import Stack

Names = Annotated[list[str], typer.Argument(help="Components or groups (servers, services): pappus status")]


def restart(names: Names, as_json: Json = False, state: StateOption = None) -> None:
    """Stop and start components, for example after an edit, and wait until they are ready. Start stopped ones again."""
    output = Output(as_json)
    with refusals(state):
        from pappus.stack.stack import Stack

        with Progress(output.progress) as progress:
            status = Stack(state).restart(names, watch=progress.show)
    restarted = status.matching(names)
    for component in restarted:
        output.say(f"{component.name} is {component.state}.")
    output.give({"components": [{"name": each.name, "state": each.state} for each in restarted]})


def stop(names: Names, as_json: Json = False, state: StateOption = None) -> None:
    """Stop components and leave the rest of the stack running, until `pappus restart` or `pappus up` starts them."""
    output = Output(as_json)
    with refusals(state):
        from pappus.stack.stack import Stack

        with stopping(output.progress) as watch:
            stopped = Stack(state).stop(names, watch)
    for name in stopped:
        output.say(f"{name} is stopped. Start it again: pappus restart {name}")
    output.give({"stopped": stopped})


def env(
    name: Annotated[str, typer.Argument(help="A service: pappus status")],
    file: Annotated[
        Path | None, typer.Option("--file", help="Write NAME=value lines to this file instead, as debuggers read them.")
    ] = None,
    as_json: Json = False,
    state: StateOption = None,
) -> None:
    """Print the environment of a service as export lines: eval "$(pappus env NAME)", then python -m services..."""
    with refusals(state):
        from pappus.stack.files import write_private
        from pappus.stack.services import exported_environment
        from pappus.stack.stack import Stack

        stack = Stack(state)
        context = stack.running_context()
        environment = exported_environment(name, context)
        (context.state.services / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        _warn_if_supervised(stack, name)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_private(file, _lines(environment))
    elif not as_json:
        typer.echo(_lines(environment, "export "), nl=False)
    Output(as_json).give({"name": name, "file": file, "environment": {} if file else dict(sorted(environment.items()))})


def _lines(environment: Mapping[str, str], prefix: str = "") -> str:
    return "".join(f"{prefix}{key}={shlex.quote(value)}\n" for key, value in sorted(environment.items()))


def _warn_if_supervised(stack: "Stack", name: str) -> None:
    """Warn on stderr if the supervised copy runs: both would use the same port and the same consumer group."""
    component = next((each for each in stack.status().components if each.name == name), None)
    if component is not None and component.state != "stopped":
        errors.print(
            f"The stack runs {name} itself. Stop that copy first: pappus stop {name}. "
            f"Give it back to the stack later: pappus restart {name}",
            highlight=False,
            soft_wrap=True,
        )
