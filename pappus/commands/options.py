"""What the commands share: options, and errors as one line on stderr."""

import errno
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pappus.errors import Refused
from pappus.stack.errors import StackError
from pappus.stack.folders import StateFolder
from pappus.terminal.output import Output
from pappus.terminal.screen import complain, errors
from shared.clients.errors import ApiError, UntrustedServer
from shared.runtime.errors import InvalidSettings, PappusError

if TYPE_CHECKING:
    from pappus.stack import Stack

StateOption = Annotated[
    Path | None,
    typer.Option("--state", envvar="PAPPUS_STATE", help="The state folder of the stack.", show_default=".pappus"),
]
REASON_HELP = "The reason, shown in the history."
Reason = Annotated[str, typer.Option(help=REASON_HELP)]
As = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="NAME",
        help="Act as this login, whose password is known; without it, as the generated one of the role.",
    ),
]
UNUSABLE = frozenset({errno.ENOTDIR, errno.EEXIST, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC})


def state_folder(path: Path | None) -> StateFolder:
    """Return the state folder of --state, else `.pappus` in the current directory."""
    return StateFolder.at(path or Path(".pappus"))


@contextmanager
def in_one_line() -> Iterator[None]:
    """Print an expected error as one line on stderr and exit with code 1."""
    try:
        yield
    except UntrustedServer as error:
        complain(f"{error} If an authority of your own signed it, name its file: --ca-file FILE, or PAPPUS_CA_FILE.")
        raise typer.Exit(1) from error
    except (Refused, StackError, ApiError, InvalidSettings) as error:
        complain(str(error))
        raise typer.Exit(1) from error


@contextmanager
def refusals(state: Path | None) -> Iterator[None]:
    """Do what `in_one_line` does, for a command of the local stack. Refuse an unusable state folder first."""
    from pappus.stack.ownership import refuse_foreign

    with in_one_line():
        try:
            refuse_foreign(state_folder(state))
            yield
        except OSError as error:
            if not _is_about(error, state_folder(state).root):
                raise
            complain(f"{error.filename}: {error.strerror}. Choose another folder with --state.")
            raise typer.Exit(1) from error


def announce_downloads(stack: "Stack", output: Output) -> None:
    """Print before a first start what it will fetch and build."""
    import asyncio

    from pappus.stack.cache import Cache
    from pappus.stack.downloads import announcement, missing_downloads
    from pappus.stack.settings import inherited_environment

    cache = Cache(stack.cache)
    missing = asyncio.run(missing_downloads(cache, inherited_environment()))
    if missing:
        output.progress.print(announcement(missing, cache), highlight=False, soft_wrap=True)


@contextmanager
def starting() -> Iterator[None]:
    """Stop waiting on Ctrl-C; the start continues in the background."""
    try:
        yield
    except KeyboardInterrupt:
        errors.print(
            "The stack is still starting in the background: `pappus status` shows its progress, `pappus down` stops it."
        )
        raise typer.Exit(130) from None


def attempt(work: Callable[[], Awaitable[None]], state: Path | None) -> None:
    """Run `work`, with expected errors printed as by `refusals`. `state` is the folder of --state."""
    import asyncio

    async def run() -> None:
        await work()

    with refusals(state):
        asyncio.run(run())


def attempt_on_kafka(work: Callable[[], Awaitable[None]], state: Path | None) -> None:
    """Do what `attempt` does; what Kafka says is an expected error, too."""

    async def refusing() -> None:
        try:
            await work()
        except PappusError as error:
            raise Refused(str(error)) from error

    attempt(refusing, state)


def _is_about(error: OSError, folder: Path) -> bool:
    """Return whether the error is about `folder`, something in it, or a parent of it."""
    if error.errno not in UNUSABLE or not isinstance(error.filename, str):
        return False
    path = Path(error.filename)
    return path.is_relative_to(folder) or folder.is_relative_to(path)
