"""How a process runs: its parts concurrently, an orderly end on SIGTERM, an exit code for the supervisor."""

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import uvloop

from shared.runtime.errors import PappusError
from shared.runtime.health import Health
from shared.runtime.retry import UNTIL_CANCELLED, RetryPolicy, delay
from shared.runtime.telemetry import logger

SHUTDOWN_SECONDS = 9.0
"""After this time the process exits in any case; records in flight are delivered again."""


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `main` on uvloop until it returns, fails, or the process is asked to end (SIGTERM, SIGINT).

    Ends the process: exit code 0 after a signal or a plain return, 1 after an exception. Never takes longer than
    SHUTDOWN_SECONDS once it is asked, even if a thread or a client library hangs.
    """
    gc.collect()
    gc.freeze()  # modules stay: to look at all of them again stops the loop for a tenth of a second, now and then
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(_until_signal(main))
    gc.unfreeze()  # for libraries that look, at the end, whether something of theirs is left
    sys.exit(code)


async def _until_signal(main: Callable[[], Coroutine[Any, Any, None]]) -> int:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_report_lost)
    task = asyncio.ensure_future(main())
    asked = False

    def ask(received: signal.Signals) -> None:
        nonlocal asked
        if not asked:
            asked = True
            logger.info("asked to end", signal=received.name)
            _end_anyway(code=0)
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask, number)
    try:
        await task
    except asyncio.CancelledError:
        if not asked:
            raise
    except Exception as error:  # noqa: BLE001 - the last place that can say why a process ends
        # The text of an error of ours says what to do; where it was raised helps only with a fault of the code.
        raised = None if isinstance(error, PappusError) else error
        logger.error("the process ends: a part failed", error=describe(error), exc_info=raised)
        _end_anyway(code=1)
        return 1
    logger.info("ended")
    return 0


def _report_lost(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error that is not waited for any more. A client that is cancelled while it connects leaves behind why it
    could not: that is one line. Where something was raised helps only with a fault of the code."""
    error = context.get("exception")
    if isinstance(error, OSError | PappusError):
        logger.warning("an attempt that was given up had failed", what=context["message"], error=describe(error))
    else:
        loop.default_exception_handler(context)


def _end_anyway(code: int) -> None:
    """Exit after SHUTDOWN_SECONDS even if something hangs."""

    def end() -> None:
        sys.stdout.flush()
        os._exit(code)

    timer = threading.Timer(SHUTDOWN_SECONDS, end)
    timer.daemon = True
    timer.start()


def describe(error: BaseException) -> str:
    """Return an exception in one line: its type and its text."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


async def run_parts(health: Health, **parts: Coroutine[Any, Any, None]) -> None:
    """Run the parts concurrently. Return when all have returned.

    The first part that raises is marked dead, the others are cancelled and awaited, and its exception is raised.
    """
    tasks = {asyncio.ensure_future(part): name for name, part in parts.items()}
    try:
        pending = set(tasks)
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = asyncio.CancelledError() if task.cancelled() else task.exception()
                if error is not None:
                    health.dead(tasks[task], describe(error))
                    logger.error("a part failed", part=tasks[task], error=describe(error))
                    raise error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def keep_running(
    health: Health,
    name: str,
    part: Callable[[], Awaitable[None]],
    policy: RetryPolicy = UNTIL_CANCELLED,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Run a part beside an HTTP server that must go on without it: when it raises, its health turns red, the reason is
    logged, and it is started again with back-off. Returns when the part returns, or when `policy` gives up."""
    attempt = 0
    while True:
        try:
            return await part()
        except Exception as error:  # noqa: BLE001 - reported in health and log; HTTP goes on
            attempt += 1
            seconds = delay(policy, attempt)
            logger.error("a part failed", part=name, error=describe(error), again_in_seconds=seconds, exc_info=error)
            if seconds is None:
                return health.dead(name, describe(error))
            health.set(name, False, describe(error))
        await sleep(seconds)
