"""Every command that the parser knows."""

from collections.abc import Iterator
from typing import Any

import typer

from pappus.cli import app


def _leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield each command below a group, with what one types for it."""
    below = getattr(command, "commands", None)
    if below is None:
        yield " ".join(path), command
        return
    for name, member in below.items():
        yield from _leaves(member, (*path, name))


COMMANDS: dict[str, Any] = dict(_leaves(typer.main.get_command(app), ()))


def options_of(name: str) -> set[str]:
    """Return the options of a command, as they are typed."""
    return {word for parameter in COMMANDS[name].params for word in parameter.opts}
