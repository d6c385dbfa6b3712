"""Tables and lines of the stack's commands."""

import time
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from pappus.stack.doctor import Check
from pappus.stack.status import ComponentState, ComponentStatus, StackStatus

COLOURS = {
    ComponentState.READY: "green",
    ComponentState.BACKOFF: "red",
    ComponentState.UNREADY: "red",
    ComponentState.ORPHANED: "red",
    ComponentState.STOPPED: "dim",
}
TROUBLED = (ComponentState.BACKOFF, ComponentState.UNREADY)


def status_table(status: StackStatus) -> Table:
    """Return one row per component."""
    table = Table(box=None, pad_edge=False)
    for heading in ("component", "state", "since", "pid", "restarts", "address", ""):
        numeric = heading in ("since", "pid", "restarts")
        folds = heading in ("address", "")  # in a narrow terminal these go on below; the others are never cut
        table.add_column(
            heading, justify="right" if numeric else "left", no_wrap=not folds, overflow="fold" if folds else "ellipsis"
        )
    for component in status.components:
        table.add_row(*_row(component))
    return table


def summary(status: StackStatus) -> str:
    """Return what the user does next: which page to open, where the passwords are, what is wrong."""
    if not status.running:
        return _without_supervisor(status)
    addresses = status.addresses
    lines = [f"{title}: {addresses[name]}" for name, title in PAGES if name in addresses]
    lines.append(f"Passwords: {status.users} (people), {status.credentials} (servers)")
    bad = [component for component in status.components if component.state in TROUBLED]
    lines += [
        f"{component.name} is {component.state}: {component.detail}. See: pappus logs {component.name}"
        for component in bad
    ]
    stopped = [component.name for component in status.components if component.stopped_on_request]
    lines += [f"{name} was stopped by hand. Start it again: pappus restart {name}" for name in stopped]
    if status.problem:
        lines.append(status.problem)
    return "\n".join(lines)


PAGES = (
    ("labeler-ui", "Label images"),
    ("predictor", "Ask for predictions"),
    ("mlflow", "MLflow"),
    ("prometheus", "Metrics"),
    ("jaeger", "Traces (its API: see `pappus trace`)"),
)


def _without_supervisor(status: StackStatus) -> str:
    left = sum(component.state is ComponentState.ORPHANED for component in status.components)
    if not left:
        return "No stack runs here. Start it: pappus up"
    still = "1 component still runs" if left == 1 else f"{left} components still run"
    them = "it" if left == 1 else "them"
    return f"The supervisor was killed; {still}. `pappus up` replaces {them}, `pappus down` ends {them}."


def checks_table(checks: Sequence[Check]) -> Table:
    """Return one row per check, with the remedy of each failed check."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        mark = Text("ok", "green") if check.fine else Text("problem", "bold red")
        table.add_row(mark, check.name, check.found if check.fine else f"{check.found}\n-> {check.remedy}")
    return table


def _row(component: ComponentStatus) -> tuple[Text | str, ...]:
    state = Text(component.state, COLOURS.get(component.state, "yellow"))
    since = f"{time.time() - component.since:.0f} s" if component.since else ""
    pid = str(component.process.pid) if component.process else ""
    remark = component.detail or (f"last exit: {component.last_exit}" if component.last_exit else "")
    return component.name, state, since, pid, str(component.restarts), component.address, Text(remark)
