"""The limit to one thread holds until the last block that asked for it ends."""

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits  # type: ignore[import-untyped]

from services.trainer.model.blas_threads import one_blas_thread


def threads() -> set[int]:
    """How many threads each BLAS library takes."""
    np.ones((2, 2)) @ np.ones((2, 2))
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_a_block_within_another_one_gives_nothing_back_when_it_ends() -> None:
    with threadpool_limits(limits=2, user_api="blas"):
        outer, inner = one_blas_thread(), one_blas_thread()
        outer.__enter__()
        inner.__enter__()
        assert threads() == {1}
        outer.__exit__(None, None, None)  # as when another thread is done first
        assert threads() == {1}
        inner.__exit__(None, None, None)
        assert threads() == {2}
