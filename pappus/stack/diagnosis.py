"""Whether waiting longer makes sense, and which text explains why not."""

from collections.abc import Sequence
from pathlib import Path

from pappus.stack.logs import last_lines
from pappus.stack.status import ComponentState, ComponentStatus, StackStatus

GIVE_UP_FAILURES = 5
LOG_LINES = 12


def diagnose(
    status: StackStatus,
    awaited: Sequence[ComponentStatus],
    out_of_time: bool,
    give_up_failures: int = GIVE_UP_FAILURES,
) -> str | None:
    """Return why the components `awaited` will not become ready by waiting, or None while they may.

    A component is given up after `give_up_failures` failures in a row.
    """
    if status.problem:
        return status.problem
    if not status.running:
        log = Path(status.state) / "logs" / "supervisor.log"
        return "The supervisor ended:\n" + "\n".join(last_lines(log, LOG_LINES))
    not_ready = [component for component in awaited if component.state is not ComponentState.READY]
    failed = [component for component in not_ready if component.failures >= give_up_failures]
    if failed:
        explained = "\n".join(map(_explain, failed))
        return f"{explained}\nThe supervisor keeps trying in the background; `pappus down` stops the stack."
    if out_of_time and not_ready:
        late = ", ".join(f"{component.name} ({component.state} {component.detail})" for component in not_ready)
        return f"Not ready in time: {late}. See: pappus logs {not_ready[0].name}"
    return None


def _explain(component: ComponentStatus) -> str:
    times = "once" if component.failures == 1 else f"{component.failures} times"
    lines = "\n".join(f"  {line}" for line in last_lines(Path(component.log), LOG_LINES))
    return f"{component.name} does not start (tried {times}): {component.last_exit}\n{lines}".rstrip()
