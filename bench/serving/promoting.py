"""Promotions while something else is measured: an operator goes to and fro between two models that served."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from bench.promotions_under_load import promote, two_versions
from pappus.stack_client import RunningStack
from shared.clients.labeler import ask_gate


@contextmanager
def promotions_beside(stack: RunningStack, every_seconds: float) -> Iterator[None]:
    """Have a model promoted each so many seconds while the block runs, and promotions unfrozen after it; print how
    many there were. 0: none."""
    if not every_seconds:
        yield
        return
    over = threading.Event()
    made: list[int] = []
    thread = threading.Thread(target=lambda: made.append(asyncio.run(_promote(stack, every_seconds, over))))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    print(f"beside it: {sum(made)} promotions")


async def _promote(stack: RunningStack, every_seconds: float, over: threading.Event) -> int:
    """Promote until it is over; return how often."""
    made = 0
    async with stack.labeler_as("operator") as operator, stack.open_replicas() as replicas:
        versions = await two_versions(operator)
        while not over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.to_thread(over.wait, every_seconds), every_seconds + 1)
            if not over.is_set():
                await promote(operator, replicas, versions[made % 2])
                made += 1
        await operator.send(ask_gate("unfreeze", "bench: promotions beside a load are over"))
    return made
