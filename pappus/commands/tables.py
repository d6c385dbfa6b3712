"""Tables and lines of the stack's commands."""

import time
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from pappus.stack.doctor import Check
from pappus.stack.status import PartState, PartStatus, StackStatus

COLOURS = {
    PartState.READY: "green",
    PartState.RESTING: "red",
    PartState.UNREADY: "red",
    PartState.ORPHANED: "red",
    PartState.STOPPED: "dim",
}
TROUBLED = (PartState.RESTING, PartState.UNREADY)


def status_table(status: StackStatus) -> Table:
    """One row per part."""
    table = Table(box=None, pad_edge=False)
    for heading in ("part", "state", "since", "pid", "restarts", "address", ""):
        numeric = heading in ("since", "pid", "restarts")
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=heading != "")
    for part in status.parts:
        table.add_row(*_row(part))
    return table


def summary(status: StackStatus) -> str:
    """What a person does next: where to look, how to log in, what is wrong."""
    if not status.running:
        return _without_supervisor(status)
    addresses = status.addresses
    lines = [f"{title}: {addresses[name]}" for name, title in PAGES if name in addresses]
    lines.append(f"Passwords: {status.users} (people), {status.credentials} (servers)")
    bad = [part for part in status.parts if part.state in TROUBLED]
    lines += [f"{part.name} is {part.state}: {part.detail}. See: pappus logs {part.name}" for part in bad]
    if status.problem:
        lines.append(status.problem)
    return "\n".join(lines)


PAGES = (("labeler-ui", "Label images"), ("predictor", "Ask for predictions"), ("mlflow", "MLflow"))


def _without_supervisor(status: StackStatus) -> str:
    left = sum(part.state is PartState.ORPHANED for part in status.parts)
    if not left:
        return "Nothing runs here. Start it: pappus up"
    still = "1 part still runs" if left == 1 else f"{left} parts still run"
    them = "it" if left == 1 else "them"
    return f"The supervisor was killed; {still}. `pappus up` replaces {them}, `pappus down` ends {them}."


def checks_table(checks: Sequence[Check]) -> Table:
    """One row per check, with the remedy where it failed."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        mark = Text("ok", "green") if check.fine else Text("problem", "bold red")
        table.add_row(mark, check.name, check.found if check.fine else f"{check.found}\n-> {check.remedy}")
    return table


def _row(part: PartStatus) -> tuple[Text | str, ...]:
    state = Text(part.state, COLOURS.get(part.state, "yellow"))
    since = f"{time.time() - part.since:.0f} s" if part.since else ""
    pid = str(part.process.pid) if part.process else ""
    remark = part.detail or (f"last exit: {part.last_exit}" if part.last_exit else "")
    return part.name, state, since, pid, str(part.restarts), part.address, Text(remark)
