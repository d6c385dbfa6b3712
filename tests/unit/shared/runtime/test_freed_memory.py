"""Freed memory goes back to the system, where the C library can do that."""

import psutil
import pytest

from shared.runtime import freed_memory
from shared.runtime.freed_memory import give_back_freed_memory

PIECE_BYTES, PIECES = 4_000, 20_000  # more than Python's own allocator takes


@pytest.mark.skipif(freed_memory._trim is None, reason="this C library has no malloc_trim")
def test_what_lies_below_a_piece_in_use_goes_back_too() -> None:
    process = psutil.Process()
    pieces = [bytes(PIECE_BYTES) for _ in range(PIECES)]
    in_use = bytes(PIECE_BYTES)
    del pieces
    before = process.memory_info().rss
    give_back_freed_memory()
    assert before - process.memory_info().rss > PIECE_BYTES * PIECES / 2
    assert len(in_use) == PIECE_BYTES


def test_without_such_a_function_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freed_memory, "_trim", None)
    give_back_freed_memory()
