"""Decoding beside each other without holding each other up: a place for each by what the picture costs.

The cost is estimated from the structure of the file, because a few kilobytes may hold seconds of work. Most pictures
take milliseconds, and a thread each. Large ones share two threads. Costly ones go to a child process of lower CPU
priority: it takes nothing from the others, not even the interpreter lock that some decoders keep, and can be killed.
"""

import asyncio
import math
import resource
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from shared.imaging.decoding import UndecodableImage, image_facts
from shared.runtime.threads import call_holding
from shared.runtime.worker_process import ChildDied, WorkerProcess

LARGE_SECONDS = 0.1
LARGE_AT_ONCE = 2
"""A picture below COSTLY_SECONDS takes up to 100 MB while it is decoded."""
COSTLY_SECONDS = 0.4
COSTLY_AT_ONCE = 2
"""A picture of the largest size takes the better part of a gigabyte while it is decoded."""
NICENESS = 5
"""Between the answers of small pictures and a training: a person waits for this one too."""
CPU_SECONDS = 20
"""For one picture, some five times what the costliest takes. That the machine is busy is not the picture's fault."""
GIVE_UP_SECONDS = 120.0
"""For one that does not compute at all."""

Result = TypeVar("Result")


class DecodingGivenUp(UndecodableImage):
    """Decoding took too long or ended its process. On a machine that is less busy it may succeed."""

    def __init__(self, why: str) -> None:
        super().__init__("too_complex", f"{why} Send the picture again later, or save it again with fewer pixels.")


class DecodingLanes(Generic[Result]):
    """Calls `function(data, *arguments)`, a function of a module that decodes `data`. Arguments and result are pickled
    for a costly picture. A process has one; child processes start with the first costly picture and end with it."""

    def __init__(
        self,
        function: Callable[..., Result],
        cpu_seconds: int = CPU_SECONDS,
        give_up_seconds: float = GIVE_UP_SECONDS,
    ) -> None:
        self._function = function
        self._cpu_seconds = cpu_seconds
        self._give_up_seconds = give_up_seconds
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._children: asyncio.LifoQueue[WorkerProcess] = asyncio.LifoQueue()
        for _ in range(COSTLY_AT_ONCE):
            self._children.put_nowait(WorkerProcess(__name__, NICENESS))

    async def call(self, data: bytes, *arguments: object) -> Result:
        """Return the result of the function.

        Raises:
            DecodingGivenUp: it took more CPU time than `cpu_seconds`, or longer than `give_up_seconds`, or ended its
                process.
            Exception: the function's.
        """
        seconds = estimated_seconds(data)
        if seconds > COSTLY_SECONDS:
            return await self._in_child(data, arguments)
        if seconds > LARGE_SECONDS:
            return await call_holding(self._large, self._function, data, *arguments)
        return await asyncio.to_thread(self._function, data, *arguments)

    def close(self) -> None:
        """End the child processes. Without it they end with the parent."""
        while not self._children.empty():
            self._children.get_nowait().end()

    async def _in_child(self, data: bytes, arguments: tuple[object, ...]) -> Result:
        child = await self._children.get()
        try:
            async with asyncio.timeout(self._give_up_seconds):
                result: Result = await child.call("call_limited", self._cpu_seconds, self._function, data, *arguments)
                return result
        except (TimeoutError, ChildDied) as error:
            raise DecodingGivenUp("Decoding took too much time or memory, and was given up.") from error
        finally:
            self._children.put_nowait(child)


def call_limited(cpu_seconds: int, function: Callable[..., Result], *arguments: object) -> Result:
    """Call a function in a child process, which ends by SIGXCPU if that takes more CPU time."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard_limit = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used.ru_utime + used.ru_stime) + cpu_seconds, hard_limit))
    return function(*arguments)


def estimated_seconds(data: bytes) -> float:
    """Return the estimate of `image_facts`; 0 for what is refused, since `decode` refuses it at once."""
    with suppress(UndecodableImage):
        return image_facts(data).seconds
    return 0.0
