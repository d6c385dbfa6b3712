"""What the commands share: the --state option, and errors as one clear line."""

import asyncio
import errno
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pappus.commands.screen import complain, console, errors
from pappus.errors import Refused
from pappus.stack import Stack
from pappus.stack.cache import Cache
from pappus.stack.downloads import announcement, missing_downloads
from pappus.stack.errors import StackError
from pappus.stack.folders import StateFolder
from pappus.stack.ownership import refuse_foreign
from pappus.stack.settings import inherited_environment
from shared.clients.errors import ApiError

StateOption = Annotated[
    Path | None,
    typer.Option("--state", envvar="PAPPUS_STATE", help="The state folder of the stack.", show_default=".pappus"),
]
UNUSABLE = frozenset({errno.ENOTDIR, errno.EEXIST, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC})


def state_folder(path: Path | None) -> StateFolder:
    """The state folder of --state, else `.pappus` in the current directory."""
    return StateFolder.at(path or Path(".pappus"))


@contextmanager
def refusals(state: Path | None) -> Iterator[None]:
    """What is refused inside is said in one line on stderr, with exit code 1; so is a state folder of no use, before
    anything is done."""
    try:
        refuse_foreign(state_folder(state))
        yield
    except (Refused, StackError, ApiError) as error:
        complain(str(error))
        raise typer.Exit(1) from error
    except OSError as error:
        if not _is_about(error, state_folder(state).root):
            raise
        complain(f"{error.filename}: {error.strerror}. Choose another folder with --state.")
        raise typer.Exit(1) from error


def announce_downloads(stack: Stack) -> None:
    """Say before a first start what it will fetch and build."""
    cache = Cache(stack.cache)
    missing = asyncio.run(missing_downloads(cache, inherited_environment()))
    if missing:
        console.print(announcement(missing, cache), highlight=False, soft_wrap=True)


@contextmanager
def starting() -> Iterator[None]:
    """Ctrl-C inside ends the waiting, not the start."""
    try:
        yield
    except KeyboardInterrupt:
        errors.print("The stack goes on starting: `pappus status` shows how far it is, `pappus down` stops it.")
        raise typer.Exit(130) from None


def attempt(work: Callable[[], Awaitable[None]], state: Path | None) -> None:
    """Run it with its `refusals`. `state` is the folder of --state."""

    async def run() -> None:
        await work()

    with refusals(state):
        asyncio.run(run())


def _is_about(error: OSError, folder: Path) -> bool:
    """Whether it says that something in `folder`, or on the way to it, cannot be used."""
    if error.errno not in UNUSABLE or not isinstance(error.filename, str):
        return False
    path = Path(error.filename)
    return path.is_relative_to(folder) or folder.is_relative_to(path)
