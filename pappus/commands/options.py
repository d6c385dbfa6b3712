"""What the commands share: the --state option, and errors as one clear line."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pappus.client import Refused
from pappus.stack.errors import StackError
from pappus.stack.folders import StateFolder

StateOption = Annotated[
    Path | None,
    typer.Option("--state", envvar="PAPPUS_STATE", help="The state folder of the stack.", show_default=".pappus"),
]


def state_folder(path: Path | None) -> StateFolder:
    """The state folder of --state, else `.pappus` in the current directory."""
    return StateFolder.at(path or Path(".pappus"))


def attempt(work: Callable[[], Awaitable[None]]) -> None:
    """Run it; what it refuses is said in one line on stderr, with exit code 1."""

    async def run() -> None:
        await work()

    try:
        asyncio.run(run())
    except (Refused, StackError) as error:
        Console(stderr=True).print(str(error), style="red", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
