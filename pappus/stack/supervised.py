"""One part kept running: prepare, start, wait until ready, watch, start again when it dies, stop in good manner."""

import asyncio
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping
from pathlib import Path
from signal import SIGKILL, Signals

from pappus.stack.backoff import failures_after, restart_delay
from pappus.stack.errors import StackError
from pappus.stack.identity import Identity, group_lives, signal_group
from pappus.stack.part import Launch, Part
from pappus.stack.priority import give_way
from pappus.stack.status import PartState, PartStatus
from shared.runtime.errors import PappusError

PROBE_SECONDS = 0.1
WATCH_SECONDS = 5.0
GROUP_LOOKS = 50
EXPECTED = (PappusError, OSError)


class NotReadyInTime(StackError):
    """The process runs but never answered that it is ready."""


class Supervised:
    """Keeps one part alive until `stop()`. `changed` is called after each change of `status`."""

    def __init__(self, part: Part, status: PartStatus, log: Path, changed: Callable[[], None]) -> None:
        self.part = part
        self.status = status
        self.ready = asyncio.Event()
        self._log = log
        self._changed = changed
        self._process: Process | None = None
        self._ready_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self, others: Mapping[str, "Supervised"]) -> asyncio.Task[None]:
        """Begin, as soon as those among `others` that it needs are ready."""
        self._task = asyncio.create_task(self._run([others[name] for name in self.part.needs]), name=self.part.name)
        return self._task

    async def renew(self, part: Part) -> None:
        """Stop, and become `part` (the same by name, with other settings) with no failures yet."""
        await self.stop()
        self.part = part
        self.status.address, self.status.ports, self.status.failures = part.address, dict(part.ports), 0

    async def stop(self) -> None:
        """Ask the process to end with its own signal, kill its group after the grace; returns when it is gone."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self.ready.clear()
        self._enter(PartState.STOPPING)
        await self._end_process()
        self._enter(PartState.STOPPED)

    async def _run(self, needs: list["Supervised"]) -> None:
        while True:
            self._enter(PartState.WAITING, "for " + ", ".join(n.part.name for n in needs) if needs else "")
            for need in needs:
                await need.ready.wait()
            try:
                exit_text = await self._live()
            except EXPECTED as error:
                await self._end_process()
                exit_text = str(error) or type(error).__name__
            await self._rest(exit_text)

    async def _live(self) -> str:
        """One life of the process; returns how it ended. A step has no process: it is ready and stays so."""
        self._enter(PartState.PREPARING)
        launch = await self.part.launch(lambda text: self._enter(PartState.PREPARING, text))
        if launch is None:
            self._became_ready()
            await asyncio.Event().wait()
            raise AssertionError("a step ends only by being cancelled")
        return await self._attend(await self._spawn(launch))

    async def _attend(self, process: Process) -> str:
        """Watch until the process ends; returns how. Raises what `_watch` raises."""
        ended = asyncio.create_task(process.wait())
        watching = asyncio.create_task(self._watch())
        try:
            await asyncio.wait([ended, watching], return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await watching  # it only ends by raising
            code = await ended
        finally:
            watching.cancel()
            await asyncio.wait([watching])
        await self._end_group(process)
        return f"killed by {Signals(-code).name}" if code < 0 else f"exit code {code}"

    async def _spawn(self, launch: Launch) -> Process:
        account = launch.account
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *launch.arguments,
                env=dict(launch.environment),
                cwd=launch.folder,
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=account.user_id if account else None,
                group=account.group_id if account else None,
                extra_groups=[] if account else None,
            )
        self._process = process
        self.status.process = Identity.of(process.pid)
        self._enter(PartState.STARTING)
        return process

    async def _watch(self) -> None:
        """Wait until ready, then look again and again. Raises NotReadyInTime when the first time does not come."""
        try:
            async with asyncio.timeout(self.part.start_seconds):
                await self._first_answer()
                await self.part.provision()
        except TimeoutError as error:
            raise NotReadyInTime(f"not ready after {self.part.start_seconds:.0f} s") from error
        self._became_ready()
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            answers = await self.part.probe()
            state, detail = (PartState.READY, "") if answers else (PartState.UNREADY, "it does not answer")
            if state is not self.status.state:
                self._enter(state, detail)

    async def _first_answer(self) -> None:
        while True:
            if await self.part.probe():
                return
            await asyncio.sleep(PROBE_SECONDS)

    def _became_ready(self) -> None:
        self._ready_at = time.monotonic()
        if self.part.gives_way and self._process is not None:
            give_way(self._process.pid)
        self._enter(PartState.READY)
        self.ready.set()

    async def _rest(self, exit_text: str) -> None:
        ready_seconds = time.monotonic() - self._ready_at if self.ready.is_set() else 0.0
        self.ready.clear()
        self.status.last_exit = exit_text
        self.status.restarts += 1
        self.status.failures = failures_after(self.status.failures, ready_seconds)
        delay = restart_delay(self.status.failures)
        self._enter(PartState.RESTING, f"{exit_text}; again in {delay:.1f} s")
        await asyncio.sleep(delay)

    async def _end_process(self) -> None:
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(self.part.stop_signal)
            try:
                async with asyncio.timeout(self.part.grace_seconds):
                    await process.wait()
            except TimeoutError:
                self.status.last_exit = f"killed: did not stop within {self.part.grace_seconds:.0f} s"
        await self._end_group(process)

    async def _end_group(self, process: Process) -> None:
        """What the process started must not outlive it."""
        signal_group(process.pid, SIGKILL)
        await process.wait()
        for _ in range(GROUP_LOOKS):
            if not group_lives(process.pid):
                break
            await asyncio.sleep(PROBE_SECONDS)
        self._process, self.status.process = None, None

    def _enter(self, state: PartState, detail: str = "") -> None:
        self.status.enter(state, detail)
        self._changed()
