"""One component kept running: prepare, start, wait until ready, watch, restart when it dies, stop gracefully."""

import asyncio
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping
from pathlib import Path
from signal import SIGKILL, Signals

from pappus.stack.backoff import failures_after, restart_delay
from pappus.stack.component import Component, Launch
from pappus.stack.errors import StackError
from pappus.stack.identity import Identity, group_lives, signal_group
from pappus.stack.priority import lower_priority
from pappus.stack.settings import StackSettings
from pappus.stack.status import ComponentState, ComponentStatus
from shared.runtime.errors import PappusError

PROBE_SECONDS = 0.1
WATCH_SECONDS = 5.0
GROUP_LOOKS = 50
EXPECTED = (PappusError, OSError)


class NotReadyInTime(StackError):
    """The process runs but never answered that it is ready."""


class ProcessHangs(StackError):
    """The process was ready, and gives no sign of life any more."""


class SupervisedComponent:
    """Keeps one component running until `stop()`. Calls `changed` after each change of `status`."""

    def __init__(self, component: Component, status: ComponentStatus, log: Path, changed: Callable[[], None]) -> None:
        self.component = component
        self.status = status
        self.ready = asyncio.Event()
        self._log = log
        self._changed = changed
        self._process: Process | None = None
        self._ready_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self, others: Mapping[str, "SupervisedComponent"]) -> asyncio.Task[None]:
        """Start in the background, once the components among `others` that it needs are ready."""
        self._task = asyncio.create_task(
            self._run([others[name] for name in self.component.needs]), name=self.component.name
        )
        return self._task

    async def renew(self, component: Component) -> None:
        """Stop, and take over the settings of `component`, which has the same name; failures count from zero."""
        await self.stop()
        self.component = component
        self.status.address, self.status.ports, self.status.failures = component.address, dict(component.ports), 0
        self.status.stopped_on_request = False

    async def stop(self) -> None:
        """Send the process its stop signal, kill its group after the grace period; return when it is gone."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self.ready.clear()
        self._enter(ComponentState.STOPPING)
        await self._end_process()
        self._enter(ComponentState.STOPPED)

    async def stop_on_request(self) -> None:
        """Stop until `renew`: the stack counts as ready without it."""
        self.status.stopped_on_request = True
        await self.stop()

    async def _run(self, needs: list["SupervisedComponent"]) -> None:
        while True:
            self._enter(ComponentState.WAITING, "for " + ", ".join(n.component.name for n in needs) if needs else "")
            for need in needs:
                await need.ready.wait()
            try:
                exit_text = await self._live()
            except ProcessHangs as error:
                await self._kill_process()
                exit_text = str(error)
            except EXPECTED as error:
                await self._end_process()
                exit_text = str(error) or type(error).__name__
            await self._back_off(exit_text)

    async def _live(self) -> str:
        """Run the process once; return how it ended. A step has no process: it becomes ready and stays ready."""
        self._enter(ComponentState.PREPARING)
        launch = await self.component.launch(lambda text: self._enter(ComponentState.PREPARING, text))
        if launch is None:
            self._became_ready()
            await asyncio.Event().wait()
            raise AssertionError("a step ends only by being cancelled")
        return await self._attend(await self._spawn(launch))

    async def _attend(self, process: Process) -> str:
        """Watch until the process ends; return how it ended. Raises what `_watch` raises."""
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
        self._enter(ComponentState.STARTING)
        return process

    async def _watch(self) -> None:
        """Wait until ready, then probe periodically.

        Raises:
            NotReadyInTime: after `start_seconds` without readiness.
            ProcessHangs: later, after `hung_seconds` without a sign of life.
        """
        try:
            async with asyncio.timeout(self.component.start_seconds):
                await self._first_answer()
                await self.component.provision()
        except TimeoutError as error:
            raise NotReadyInTime(f"not ready after {self.component.start_seconds:.0f} s") from error
        self._became_ready()
        last_sign = time.monotonic()
        while True:
            await asyncio.sleep(min(WATCH_SECONDS, self.component.hung_seconds / 4))
            answers = await self.component.probe()
            if answers or self.component.alive is None or await self.component.alive():
                last_sign = time.monotonic()
            elif time.monotonic() - last_sign >= self.component.hung_seconds:
                raise ProcessHangs(f"no answer for {self.component.hung_seconds:.0f} s: it was stopped, or it hangs")
            state, detail = (ComponentState.READY, "") if answers else (ComponentState.UNREADY, "it does not answer")
            if state is not self.status.state:
                self._enter(state, detail)

    async def _first_answer(self) -> None:
        while True:
            if await self.component.probe():
                return
            await asyncio.sleep(PROBE_SECONDS)

    def _became_ready(self) -> None:
        self._ready_at = time.monotonic()
        if self.component.low_priority and self._process is not None:
            lower_priority(self._process.pid, StackSettings().background_niceness)
        self._enter(ComponentState.READY)
        self.ready.set()

    async def _back_off(self, exit_text: str) -> None:
        ready_seconds = time.monotonic() - self._ready_at if self.ready.is_set() else 0.0
        self.ready.clear()
        self.status.last_exit = exit_text
        self.status.restarts += 1
        self.status.failures = failures_after(self.status.failures, ready_seconds)
        delay = restart_delay(self.status.failures)
        self._enter(ComponentState.BACKOFF, f"{exit_text}; again in {delay:.1f} s")
        await asyncio.sleep(delay)

    async def _end_process(self) -> None:
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(self.component.stop_signal)
            try:
                async with asyncio.timeout(self.component.grace_seconds):
                    await process.wait()
            except TimeoutError:
                self.status.last_exit = f"killed: did not stop within {self.component.grace_seconds:.0f} s"
        await self._end_group(process)

    async def _kill_process(self) -> None:
        """Kill the process at once: one that hangs hears no signal, and others wait for the locks that it holds."""
        if self._process is not None:
            await self._end_group(self._process)

    async def _end_group(self, process: Process) -> None:
        """Kill the processes that it started: they must not outlive it."""
        signal_group(process.pid, SIGKILL)
        await process.wait()
        for _ in range(GROUP_LOOKS):
            if not group_lives(process.pid):
                break
            await asyncio.sleep(PROBE_SECONDS)
        self._process, self.status.process = None, None

    def _enter(self, state: ComponentState, detail: str = "") -> None:
        self.status.enter(state, detail)
        self._changed()
