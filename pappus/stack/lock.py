"""The supervisor's lock: held as long as it lives, gone with it, however it ends."""

import fcntl
import time
from typing import IO

from pappus.stack.folders import StateFolder

LOOK_SECONDS = 0.05


def try_lock(state: StateFolder) -> IO[str] | None:
    """Take the lock of this stack; None if a supervisor holds it. Closing the file gives it back."""
    file = state.lock.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def take_lock(state: StateFolder, seconds: float) -> IO[str] | None:
    """Like `try_lock`, for that long: somebody may just be looking whether it is held."""
    limit = time.monotonic() + seconds
    while (lock := try_lock(state)) is None and time.monotonic() < limit:
        time.sleep(LOOK_SECONDS)
    return lock


def is_locked(state: StateFolder) -> bool:
    """Whether a supervisor of this stack lives."""
    if not state.lock.exists():
        return False
    taken = try_lock(state)
    if taken is None:
        return True
    taken.close()
    return False
