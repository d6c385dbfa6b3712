"""Lower CPU priority for background components, so that the answers that users wait for get the cores first."""

import os
from contextlib import suppress
from pathlib import Path

LEAST = 19


def lower_priority(pid: int, niceness: int) -> None:
    """Lower the CPU priority of the session that `pid` leads: by 10 it has about a tenth of the weight of the other
    processes, by 0 the same. Without permission, or after its end, nothing changes.

    Linux weighs whole sessions against each other where it groups them (autogroup), else single threads.
    """
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(niceness))
    with suppress(OSError):
        for thread in _threads(pid):
            lower = os.getpriority(os.PRIO_PROCESS, thread) + niceness
            os.setpriority(os.PRIO_PROCESS, thread, min(lower, LEAST))


def _threads(pid: int) -> list[int]:
    try:
        return [int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()]
    except FileNotFoundError:  # not Linux: a process is weighed as a whole
        return [pid]
