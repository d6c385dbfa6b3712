"""One BLAS thread, so that sums have one order: equal input gives equal bits, and small fits are not slowed down."""

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS (numpy, scipy) to one thread within the block, for the whole process."""
    with threadpool_limits(limits=1, user_api="blas"):
        yield
