"""Who gives way when there are fewer cores than work: people wait for an answer, nobody waits for the books."""

import os
from contextlib import suppress
from pathlib import Path

BEHIND = 10
"""Steps of niceness: about a tenth of the weight of the others."""
LEAST = 19


def give_way(pid: int) -> None:
    """Let the session that `pid` leads have what the others leave. Without the right to, or once it has ended, nothing
    changes. Linux weighs whole sessions against each other where it groups them (autogroup), else single threads."""
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(BEHIND))
    with suppress(OSError):
        for thread in _threads(pid):
            behind = os.getpriority(os.PRIO_PROCESS, thread) + BEHIND
            os.setpriority(os.PRIO_PROCESS, thread, min(behind, LEAST))


def _threads(pid: int) -> list[int]:
    try:
        return [int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()]
    except FileNotFoundError:  # not Linux: a process is weighed as a whole
        return [pid]
