"""`pappus up --watch`: restart the services whose code was edited."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import PurePath

from pappus.stack import Stack, StackError
from pappus.stack.watch import edits, services_of
from pappus.terminal.screen import complain, console

SHOWN_FILES = 3


def watch_until_interrupted(stack: Stack) -> None:
    """Restart services on edits until Ctrl-C; the stack keeps running. Raises StackError if it is stopped meanwhile."""
    _say("Watching services/ and shared/ for edits; Ctrl-C ends this, and the stack keeps running.")
    with suppress(KeyboardInterrupt):
        restart_on_edits(stack, edits())
    _say("No longer watching. The stack keeps running: `pappus down` stops it.")


def restart_on_edits(stack: Stack, groups: Iterable[Sequence[PurePath]]) -> None:
    """Restart the services that load the files of each group of edits. A service that does not start is reported,
    and the next edit is its next chance.

    Raises:
        StackError: the stack does not run any more.
    """
    for files in groups:
        _restart(stack, files)


def _restart(stack: Stack, files: Sequence[PurePath]) -> None:
    expected = {component.name for component in stack.running_status().expected}
    affected = services_of(files)
    names = [name for name in affected if name in expected]
    what = _describe(files)
    if not names:
        _say(f"{what}: no running service loads it.")
        return
    _say(f"{what}: restarting {', '.join(names)} ...")
    try:
        stack.restart(names)
    except StackError as error:
        complain(str(error))
    else:
        _say(f"{', '.join(names)} ready.")


def _describe(files: Sequence[PurePath]) -> str:
    shown = ", ".join(map(str, files[:SHOWN_FILES]))
    more = len(files) - SHOWN_FILES
    return f"{shown} and {more} more" if more > 0 else shown


def _say(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True)
