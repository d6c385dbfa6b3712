"""End the processes that a killed supervisor left running, and no others."""

import time
from collections.abc import Callable
from signal import SIGKILL

from pappus.stack.identity import Identity, group_lives, marked, signal_group, signal_process
from pappus.stack.status import StackStatus

GRACE_SECONDS = 10.0
LOOK_SECONDS = 0.05


def reap(left: StackStatus, report: Callable[[str], None]) -> list[str]:
    """End the processes recorded in `left`; return the names of those that still ran.

    A recorded process belongs to the stack if pid *and* start time agree: it gets its stop signal, its group SIGKILL
    after the grace period. Then every other process with this stack's mark is killed: a supervisor may be killed before
    it has recorded the process that it just started.
    """
    recorded = {component.name: component.process for component in left.components if component.process is not None}
    alive = {name: process for name, process in recorded.items() if process.alive()}
    for name, process in alive.items():
        report(f"ending {name} (pid {process.pid}), left over from a supervisor that was killed")
        signal_process(process.pid, left.component(name).stop_signal)
    _wait_until(lambda: not any(process.alive() for process in alive.values()))
    for process in alive.values():
        signal_group(process.pid, SIGKILL)
    orphans = [identity for pid in marked(left.state) if (identity := Identity.of(pid))]
    for orphan in orphans:
        signal_process(orphan.pid, SIGKILL)
    _wait_until(lambda: not any(orphan.alive() for orphan in orphans))
    _wait_until(lambda: not any(group_lives(process.pid) for process in alive.values()))
    return sorted(alive)


def _wait_until(question: Callable[[], bool]) -> None:
    limit = time.monotonic() + GRACE_SECONDS
    while not question() and time.monotonic() < limit:
        time.sleep(LOOK_SECONDS)
