"""A warm process for long computations, which would otherwise block the event loop and with it Kafka's heartbeats.

It imports its module ahead of the first call, runs one call at a time, and ends with its parent, even by kill -9: the
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
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any

from shared.runtime.errors import PappusError

END_SECONDS = 2.0
NICENESS = 10
"""The niceness of a child: a training runs at lower CPU priority than answers and corrections."""


class ChildDied(PappusError):
    """The child was killed while it computed. It may happen again with the same call, so it is not transient."""


class WorkerProcess:
    """Calls functions of one module in a process of its own; arguments and results are pickled. The process starts with
    the context, or with the first call."""

    def __init__(self, module: str, niceness: int = NICENESS) -> None:
        self._module = module
        self._niceness = niceness
        self._turn = asyncio.Lock()
        self._spawn = multiprocessing.get_context("spawn")
        self._process: SpawnProcess | None = None

    def __enter__(self) -> "WorkerProcess":
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """The process id of the current child, or of the last one; 0 before the first."""
        return int((self._process and self._process.pid) or 0)

    async def call(self, function: str, *arguments: object) -> Any:
        """Return the result of `function` of the module.

        When the caller is cancelled the child is killed, since its result is not needed any more.

        Raises:
            ChildDied: the child died; the next call gets a new one.
            Exception: the exception of the function, with the child's traceback as a note.
        """
        async with self._turn:
            process = self._process
            if process is None or not process.is_alive():
                self.end()
                process = self._start()
            try:
                outcome, value = await asyncio.to_thread(_send_and_receive, self._connection, (function, arguments))
            except (EOFError, OSError) as error:
                process.join(END_SECONDS)
                raise ChildDied(
                    f"The process that runs {function} ended with exit code {process.exitcode}"
                    " (negative: killed by that signal, often for lack of memory)."
                ) from error
            except asyncio.CancelledError:
                self.end()
                raise
        if outcome == "raised":
            raise value
        return value

    def end(self) -> None:
        """Kill the child, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.join(END_SECONDS)
            self._connection.close()

    def _start(self) -> SpawnProcess:
        self._connection, theirs = self._spawn.Pipe()
        self._process = self._spawn.Process(
            target=_serve, args=(self._module, theirs, self._niceness), name=self._module, daemon=True
        )
        self._process.start()
        theirs.close()
        return self._process


def _send_and_receive(connection: Connection, call: tuple[str, tuple[object, ...]]) -> tuple[str, Any]:
    """Send one call and receive its answer. The thread may outlive a cancelled caller, so it uses this connection."""
    connection.send(call)
    answer: tuple[str, Any] = connection.recv()
    return answer


def _serve(name: str, connection: Connection, niceness: int) -> None:
    """Serve calls in the child: read them in a thread, run them in the main thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides when to end
    calls: queue.SimpleQueue[tuple[str, tuple[object, ...]]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(connection, calls), daemon=True).start()
    os.nice(niceness)
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
