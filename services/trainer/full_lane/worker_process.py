"""A warm process for long computations, so that the event loop (and with it Kafka's heartbeats) never waits for one.

It imports its module ahead of the first call, does one call at a time, and dies with its parent, even by kill -9: the
thread that reads the calls then reads the end of the pipe.
"""

import asyncio
import importlib
import multiprocessing
import os
import queue
import signal
import threading
import traceback
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from shared.runtime.errors import TransientError

END_SECONDS = 2.0
NICENESS = 10
"""How nice a child is: answers and corrections are waited for, a training is not."""


class WorkerProcess:
    """Calls functions of one module in a process of its own. Use it as a context; arguments and results are pickled."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._turn = asyncio.Lock()
        self._spawn = multiprocessing.get_context("spawn")

    def __enter__(self) -> "WorkerProcess":
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def pid(self) -> int:
        """The process id of the child that is, or was last, running."""
        return int(self._process.pid or 0)

    async def call(self, function: str, *arguments: object) -> Any:
        """The result of `function` of the module.

        When the caller is cancelled the child is killed, since nobody waits for its result any more.

        Raises:
            TransientError: the child died; the next call gets a new one.
            Exception: whatever the function raised, with the child's traceback as a note.
        """
        async with self._turn:
            if not self._process.is_alive():
                self._end()
                self._start()
            try:
                outcome, value = await asyncio.to_thread(_send_and_receive, self._connection, (function, arguments))
            except (EOFError, OSError) as error:
                self._process.join(END_SECONDS)
                raise TransientError(
                    f"The process that runs {function} ended with exit code {self._process.exitcode}"
                    " (negative: killed by that signal, often for lack of memory). It is started again."
                ) from error
            except asyncio.CancelledError:
                self._end()
                raise
        if outcome == "raised":
            raise value
        return value

    def _start(self) -> None:
        self._connection, theirs = self._spawn.Pipe()
        self._process = self._spawn.Process(target=_serve, args=(self._module, theirs), name=self._module, daemon=True)
        self._process.start()
        theirs.close()

    def _end(self) -> None:
        self._process.kill()
        self._process.join(END_SECONDS)
        self._connection.close()


def _send_and_receive(connection: Connection, call: tuple[str, tuple[object, ...]]) -> tuple[str, Any]:
    """One call and its answer, in a thread that may outlive a cancelled caller: so it keeps to this connection."""
    connection.send(call)
    answer: tuple[str, Any] = connection.recv()
    return answer


def _serve(name: str, connection: Connection) -> None:
    """The child: reads calls in a thread, computes them in the main one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides when to end
    calls: queue.SimpleQueue[tuple[str, tuple[object, ...]]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(connection, calls), daemon=True).start()
    os.nice(NICENESS)
    module = importlib.import_module(name)
    while True:
        function, arguments = calls.get()
        try:
            answer = ("returned", getattr(module, function)(*arguments))
        except Exception as error:  # noqa: BLE001 - it is raised again in the parent
            error.add_note(f"In the child process:\n{traceback.format_exc()}")
            answer = ("raised", error)
        connection.send(answer)


def _read(connection: Connection, calls: "queue.SimpleQueue[tuple[str, tuple[object, ...]]]") -> None:
    while True:
        try:
            calls.put(connection.recv())
        except (EOFError, OSError):
            os._exit(0)
