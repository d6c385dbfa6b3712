"""The lock of the supervisor: held while it runs, released when it ends for any reason."""

import fcntl
import time
from typing import IO

from pappus.stack.folders import StateFolder

LOOK_SECONDS = 0.05


def try_lock(state: StateFolder) -> IO[str] | None:
    """Take the lock of this stack; return None if a supervisor holds it. Closing the file releases it."""
    file = state.lock.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def take_lock(state: StateFolder, seconds: float) -> IO[str] | None:
    """Try for `seconds` to take the lock: another process may hold it briefly to check it. Return None if it fails."""
    limit = time.monotonic() + seconds
    while (lock := try_lock(state)) is None and time.monotonic() < limit:
        time.sleep(LOOK_SECONDS)
    return lock


def is_locked(state: StateFolder) -> bool:
    """Return whether a supervisor of this stack runs."""
    if not state.lock.exists():
        return False
    taken = try_lock(state)
    if taken is None:
        return True
    taken.close()
    return False
