"""Memory that was freed goes back to the system."""

import ctypes
from collections.abc import Callable


def _find_trim() -> Callable[[int], int] | None:
    """Return malloc_trim; None where the C library has none (musl, macOS)."""
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    return found


_trim = _find_trim()


def give_back_freed_memory() -> None:
    """Give the system back what glibc's malloc holds of freed memory. Each thread that allocated much has an arena, and
    of an arena only its end goes back by itself: after some models that were loaded in threads, and freed, a process
    holds tens of megabytes more than it uses. Takes some milliseconds: call it from a thread. Other C libraries: no-op.

    https://man7.org/linux/man-pages/man3/malloc_trim.3.html
    """
    if _trim is not None:
        _trim(0)
