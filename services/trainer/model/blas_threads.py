"""One BLAS thread, so that sums have one order: equal input gives equal bits, and small fits are not slowed down."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


class _Limit:
    """The limit of this process. Finding the libraries takes milliseconds, so blocks within a block only count."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._blocks = 0
        self._limits: threadpool_limits | None = None

    def enter(self) -> None:
        with self._lock:
            if not self._blocks:
                self._limits = threadpool_limits(limits=1, user_api="blas")
            self._blocks += 1

    def leave(self) -> None:
        """Give the threads back with the last block, whichever thread it is in."""
        with self._lock:
            self._blocks -= 1
            if not self._blocks and self._limits is not None:
                self._limits.restore_original_limits()


_limit = _Limit()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS (numpy, scipy) to one thread within the block, for the whole process. The libraries are those that are
    loaded when the outermost block begins."""
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()
