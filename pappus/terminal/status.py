"""Tables and lines of the stack's commands."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from pappus.terminal.listing import Column, Listing

if TYPE_CHECKING:
    from pappus.stack.doctor import Check
    from pappus.stack.status import ComponentStatus, StackStatus

COLOURS = {"ready": "green", "backoff": "red", "unready": "red", "orphaned": "red", "stopped": "dim"}
TROUBLED = ("backoff", "unready")


def status_table(status: "StackStatus") -> Listing:
    """Return one row per component."""
    table = Listing(
        Column("component", whole=True),
        Column("state", whole=True),
        Column("since", whole=True, right=True),
        Column("pid", whole=True, right=True),
        Column("address"),
        Column("", if_any=True),
    )
    for component in status.components:
        table.add(*_row(component))
    return table


def summary(status: "StackStatus") -> str:
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
    ("predictor-grpc", "Ask over gRPC"),
    ("mlflow", "MLflow"),
    ("prometheus", "Metrics"),
    ("jaeger", "Traces (its API: see `pappus trace`)"),
)


def _without_supervisor(status: "StackStatus") -> str:
    left = sum(component.state == "orphaned" for component in status.components)
    if not left:
        return "No stack runs here. Start it: pappus up"
    still = "1 component still runs" if left == 1 else f"{left} components still run"
    them = "it" if left == 1 else "them"
    return f"The supervisor was killed; {still}. `pappus up` replaces {them}, `pappus down` ends {them}."


def checks_table(checks: Sequence["Check"]) -> Listing:
    """Return one row per check, with the remedy of each failed check."""
    table = Listing(Column("state", whole=True), "check", "found")
    for check in checks:
        mark = Text("ok", "green") if check.fine else Text("problem", "bold red")
        table.add(mark, check.name, check.found if check.fine else f"{check.found}\n-> {check.remedy}")
    return table


def _row(component: "ComponentStatus") -> tuple[Text | str, ...]:
    state = Text(component.state, COLOURS.get(component.state, "yellow"))
    pid = str(component.process.pid) if component.process else ""
    return component.name, state, _since(component), pid, component.address, _remark(component)


def _since(component: "ComponentStatus") -> str:
    if not component.since:
        return ""
    seconds = time.time() - component.since
    return f"{seconds:.0f} s" if seconds < 6000 else f"{seconds / 3600:.0f} h"


def _remark(component: "ComponentStatus") -> str:
    remark = component.detail or (f"last exit: {component.last_exit}" if component.last_exit else "")
    again = f"restarts: {component.restarts}" if component.restarts else ""
    return ", ".join(filter(None, (remark, again)))
