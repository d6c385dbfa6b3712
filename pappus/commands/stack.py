"""`pappus up | down | status | doctor | logs | reset`: the whole stack."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from pappus.commands.options import StateOption, announce_downloads, refusals, starting
from pappus.errors import Refused
from pappus.stack.errors import StackError
from pappus.terminal.output import Json, Output
from pappus.terminal.progress import Progress, stopping
from pappus.terminal.screen import errors, harmless
from pappus.terminal.status import checks_table, status_table, summary

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
    as_json: Json = False,
    state: StateOption = None,
) -> None:
    """Start the components that do not run yet, and wait until the whole stack is ready."""
    output = Output(as_json)
    with refusals(state), starting():
        from pappus.stack.desired_state import EVERYTHING
        from pappus.stack.stack import Stack

        if watch and as_json:
            raise Refused("--json gives one document, and --watch goes on until Ctrl-C: give one of them.")
        stack = Stack(state)
        announce_downloads(stack, output)
        with Progress(output.progress) as progress:
            status = stack.up(
                only or EVERYTHING,
                allowed_hosts=allow_host or (),
                secure=secure,
                observe=observe,
                watch=progress.show,
            )
    output.say(summary(status))
    output.give(json.loads(status.report()))
    if watch:
        from pappus.actions.watching import watch_until_interrupted

        with refusals(state):
            watch_until_interrupted(stack)


def down(as_json: Json = False, state: StateOption = None) -> None:
    """Stop the stack. Its data stays for the next `up`."""
    output, left_overs = Output(as_json), list[str]()
    with refusals(state):
        from pappus.stack.stack import Stack

        with stopping(output.progress) as watch:
            Stack(state).down(left_overs.append, watch)
    for left_over in left_overs:
        output.say(left_over)
    output.say("Stopped.")
    output.give({"stopped": True, "left_overs": left_overs})


def status(as_json: Json = False, state: StateOption = None) -> None:
    """Show every component: state, address, process, restarts. Exit code 0 if all that should run are ready, else 3."""
    output = Output(as_json)
    with refusals(state):
        from pappus.stack.stack import Stack

        now = Stack(state).status()
    if now.components:
        output.show(status_table(now))
    output.say(summary(now))
    output.give(json.loads(now.report()))
    if not now.ready:
        raise typer.Exit(3)


def doctor(as_json: Json = False, state: StateOption = None) -> None:
    """Check what this machine lacks, and show how to install it."""
    output = Output(as_json)
    with refusals(state):
        from pappus.stack.doctor import examine
        from pappus.stack.settings import inherited_environment
        from pappus.stack.stack import Stack

        checks = examine(Stack(state), inherited_environment())
    fine = all(check.fine for check in checks)
    output.show(checks_table(checks))
    fields = ("name", "fine", "found", "remedy")
    output.give({"fine": fine, "checks": [{field: getattr(check, field) for field in fields} for check in checks]})
    if not fine:
        raise typer.Exit(1)


def logs(
    name: Annotated[str | None, typer.Argument(help="A component, or `supervisor`; without it, all.")] = None,
    follow_on: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing new lines.")] = False,
    limit: Annotated[
        int, typer.Option("--limit", "--lines", "-n", min=0, help="How many of the last lines of each log to show.")
    ] = 40,
    as_json: Json = False,
    state: StateOption = None,
) -> None:
    """Show the log of one component, or of all."""
    with refusals(state):
        from pappus.stack.logs import follow, last_lines
        from pappus.stack.stack import Stack

        if follow_on and as_json:
            raise Refused("--json gives one document, and --follow goes on until Ctrl-C: give one of them.")
        shown = _logs(Stack(state).state.logs, name)
    lines = {each: last_lines(file, limit + 1) for each, file in shown.items()}
    more = any(len(found) > limit for found in lines.values())
    if as_json:
        ends: dict[str, Any] = {each: found[-limit:] if limit else [] for each, found in lines.items()}
        Output(as_json).give({"logs": ends, "more": more})
        return
    width = 0 if name else max(map(len, shown))
    if more and limit:  # not on stdout, which other programs filter
        hint = f"Earlier lines are left out. To see more: pappus logs {name or ''} --limit {4 * limit}"
        errors.print(" ".join(hint.split()), style="dim", highlight=False, soft_wrap=True)
    for each, found in lines.items():
        for line in found[-limit:] if limit else []:
            _print_line(each, width, line)
    if follow_on:
        for each, line in follow(shown, ended=lambda: False):
            _print_line(each, width, line)


def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
    state: StateOption = None,
) -> None:
    """Stop the stack and delete all its data. Fetched and built things are kept."""
    output = Output(as_json)
    with refusals(state):
        from pappus.stack.ownership import refuse_deletion
        from pappus.stack.stack import Stack

        stack = Stack(state)
        if not stack.state.root.exists():
            output.say(f"There is nothing in {stack.state.root}.")
            output.give({"deleted": None})
            return
        refuse_deletion(stack.state)
        if not yes and as_json:
            raise Refused("With --json no question is asked: give --yes to delete all images, labels, models and logs.")
        if not yes:
            typer.confirm(f"Delete all images, labels, models and logs in {stack.state.root}?", abort=True)
        with stopping(output.progress) as watch:
            stack.reset(watch)
    output.say(f"Deleted {stack.state.root}.")
    output.give({"deleted": stack.state.root})


def _logs(folder: Path, name: str | None) -> dict[str, Path]:
    """Return the log of `name`, or all logs, by name. Raises StackError if there is none."""
    files = {file.stem: file for file in sorted(folder.glob("*.log"))}
    if not files or (name is not None and name not in files):
        raise StackError(f"There is no log of {name or 'this stack'}. There are: {', '.join(files) or 'none'}.")
    return {name: files[name]} if name else files


def _print_line(name: str, width: int, line: str) -> None:
    typer.echo(harmless(f"{name:<{width}} | {line}" if width else line))
