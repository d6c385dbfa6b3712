"""`pappus up | down | status | doctor | logs | reset`: the whole stack."""

from pathlib import Path
from typing import Annotated

import typer

from pappus.commands.options import StateOption, announce_downloads, refusals, starting
from pappus.commands.progress import Progress
from pappus.commands.screen import console
from pappus.commands.tables import checks_table, status_table, summary
from pappus.stack import Stack, StackError
from pappus.stack.desired_state import EVERYTHING
from pappus.stack.doctor import examine
from pappus.stack.logs import follow, last_lines
from pappus.stack.ownership import refuse_deletion
from pappus.stack.settings import inherited_environment

Only = Annotated[
    list[str] | None, typer.Option("--only", help="A group (servers, services) or a component; may be repeated.")
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host", help="A private address (host or host:port) from which images may be fetched; it is remembered."
    ),
]


Watch = Annotated[
    bool, typer.Option("--watch", help="Then restart a service whenever its code is edited, until Ctrl-C.")
]


Secure = Annotated[
    bool,
    typer.Option("--secure", help="TLS, logins and rights on all servers; it is remembered, and the data stays."),
]
Observe = Annotated[
    bool | None,
    typer.Option(
        "--observe/--no-observe", help="Collect metrics and traces: Prometheus and Jaeger run, too; it is remembered."
    ),
]


def up(
    only: Only = None,
    allow_host: AllowHost = None,
    watch: Watch = False,
    secure: Secure = False,
    observe: Observe = None,
    state: StateOption = None,
) -> None:
    """Start the components that do not run yet, and wait until the whole stack is ready."""
    stack = Stack(state)
    with refusals(state), starting():
        announce_downloads(stack)
        with Progress(console) as progress:
            status = stack.up(
                only or EVERYTHING,
                allowed_hosts=allow_host or (),
                secure=secure,
                observe=observe,
                watch=progress.show,
            )
    console.print(summary(status), highlight=False, soft_wrap=True)
    if watch:
        from pappus.commands.watching import watch_until_interrupted  # its library takes 0.1 s to import

        with refusals(state):
            watch_until_interrupted(stack)


def down(state: StateOption = None) -> None:
    """Stop the stack. Its data stays for the next `up`."""
    with refusals(state):
        Stack(state).down(console.print)
    console.print("Stopped.")


def status(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False, state: StateOption = None
) -> None:
    """Show every component: state, address, process, restarts. Exit code 0 if all that should run are ready, else 3."""
    with refusals(state):
        now = Stack(state).status()
    if as_json:
        typer.echo(now.report())
    else:
        console.print(status_table(now))
        console.print(summary(now), highlight=False, soft_wrap=True)
    if not now.ready:
        raise typer.Exit(3)


def doctor(state: StateOption = None) -> None:
    """Check what this machine lacks, and show how to install it."""
    with refusals(state):
        checks = examine(Stack(state), inherited_environment())
    console.print(checks_table(checks))
    if not all(check.fine for check in checks):
        raise typer.Exit(1)


def logs(
    name: Annotated[str | None, typer.Argument(help="A component, or `supervisor`; without it, all.")] = None,
    follow_on: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing new lines.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines to show.")] = 40,
    state: StateOption = None,
) -> None:
    """Show the log of one component, or of all."""
    with refusals(state):
        shown = _logs(Stack(state), name)
    width = 0 if name else max(map(len, shown))
    for each, file in shown.items():
        for line in last_lines(file, lines):
            _print_line(each, width, line)
    if follow_on:
        for each, line in follow(shown, ended=lambda: False):
            _print_line(each, width, line)


def reset(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False, state: StateOption = None) -> None:
    """Stop the stack and delete all its data. Fetched and built things are kept."""
    stack = Stack(state)
    with refusals(state):
        if not stack.state.root.exists():
            console.print(f"There is nothing in {stack.state.root}.", highlight=False)
            return
        refuse_deletion(stack.state)
        if not yes:
            typer.confirm(f"Delete all images, labels, models and logs in {stack.state.root}?", abort=True)
        stack.reset()
    console.print(f"Deleted {stack.state.root}.", highlight=False)


def _logs(stack: Stack, name: str | None) -> dict[str, Path]:
    """Return the log of `name`, or all logs, by name. Raises StackError if there is none."""
    files = {file.stem: file for file in sorted(stack.state.logs.glob("*.log"))}
    if not files or (name is not None and name not in files):
        raise StackError(f"There is no log of {name or 'this stack'}. There are: {', '.join(files) or 'none'}.")
    return {name: files[name]} if name else files


def _print_line(name: str, width: int, line: str) -> None:
    typer.echo(f"{name:<{width}} | {line}" if width else line)
