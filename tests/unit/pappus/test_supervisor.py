"""Supervision, on small processes: order, restarts, back-off, and how things end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from signal import SIGINT, SIGKILL

import psutil
import pytest

from pappus.stack.errors import StackError
from pappus.stack.folders import StateFolder
from pappus.stack.part import Launch, Part, Say
from pappus.stack.status import PartState, PartStatus, StackStatus, read_status
from pappus.stack.supervisor import Supervisor

MakePart = Callable[..., Part]
pytestmark = pytest.mark.slow
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN); READY; time.sleep(60)"


class Watched:
    """A supervisor and what one may ask about its parts."""

    def __init__(self, supervisor: Supervisor, status: StackStatus) -> None:
        self.supervisor = supervisor
        self.status = status

    async def until(self, name: str, question: Callable[[PartStatus], bool]) -> PartStatus:
        """Wait until the part is as asked; the test's time-out is the limit."""
        while not question(part := self.status.part(name)):
            if self.supervisor.failed.done():
                self.supervisor.failed.result()
            await asyncio.sleep(0.02)
        return part

    async def ready(self, name: str) -> PartStatus:
        return await self.until(name, lambda part: part.state is PartState.READY)

    def pid(self, name: str) -> int:
        process = self.status.part(name).process
        assert process is not None
        return process.pid


@asynccontextmanager
async def supervising(state: StateFolder, *parts: Part) -> AsyncIterator[Watched]:
    status = StackStatus(state=str(state.root), credentials="", users="")
    supervisor = Supervisor(state, status)
    try:
        await supervisor.want(parts)
        yield Watched(supervisor, status)
    finally:
        await supervisor.stop()


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def test_a_part_starts_when_all_it_needs_is_ready(state: StateFolder, make_part: MakePart) -> None:
    needed, needing = (
        make_part("needed", "time.sleep(0.3); READY; time.sleep(60)"),
        make_part("needing", needs=("needed",)),
    )
    async with supervising(state, needing, needed) as stack:
        await stack.until("needed", lambda part: part.state is PartState.STARTING)
        assert stack.status.part("needing").state is PartState.WAITING
        await stack.ready("needing")
        assert stack.status.part("needed").since <= stack.status.part("needing").since


async def test_parts_stop_in_the_reverse_order(state: StateFolder, make_part: MakePart, tmp_path: Path) -> None:
    def noting(name: str, needs: tuple[str, ...] = ()) -> Part:
        note = f"(open({str(tmp_path / 'order')!r}, 'a').write({name!r}), sys.exit(0))"
        return make_part(name, f"signal.signal(signal.SIGTERM, lambda *_: {note}); READY; time.sleep(60)", needs=needs)

    async with supervising(state, noting("a"), noting("b", needs=("a",)), noting("c", needs=("b",))) as stack:
        await stack.ready("c")
    assert (tmp_path / "order").read_text() == "cba"


async def test_a_killed_process_comes_back_and_the_status_says_so(state: StateFolder, make_part: MakePart) -> None:
    async with supervising(state, make_part("it")) as stack:
        await stack.ready("it")
        first = stack.pid("it")
        psutil.Process(first).send_signal(SIGKILL)
        part = await stack.until("it", lambda part: part.restarts == 1 and part.state is PartState.READY)
        assert part.last_exit == "killed by SIGKILL"
        assert stack.pid("it") != first
        assert read_status(state).part("it").restarts == 1


async def test_a_part_nobody_waits_for_gives_way_once_it_is_ready(state: StateFolder, make_part: MakePart) -> None:
    polite, other = replace(make_part("polite"), gives_way=True), make_part("other")
    async with supervising(state, polite, other) as stack:
        await stack.ready("polite")
        await stack.ready("other")
        assert psutil.Process(stack.pid("polite")).nice() > psutil.Process(stack.pid("other")).nice()


async def test_a_process_that_keeps_dying_rests_longer_and_keeps_its_exit_code(
    state: StateFolder, make_part: MakePart
) -> None:
    async with supervising(state, make_part("it", "sys.exit(3)")) as stack:
        part = await stack.until("it", lambda part: part.failures == 3 and part.state is PartState.RESTING)
        assert part.last_exit == "exit code 3"
        assert "again in 0.8 s" in part.detail


async def test_what_a_dead_process_left_running_does_not_outlive_it(state: StateFolder, make_part: MakePart) -> None:
    below = "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])"
    async with supervising(
        state, make_part("it", f"{below}; print(child.pid, flush=True); READY; time.sleep(60)")
    ) as stack:
        await stack.ready("it")
        grandchild = int(state.log("it").read_text())
        assert alive(grandchild)
        psutil.Process(stack.pid("it")).kill()
        await stack.until("it", lambda part: part.restarts == 1)
        assert not alive(grandchild)


async def test_a_process_gets_its_own_stop_signal(state: StateFolder, make_part: MakePart, tmp_path: Path) -> None:
    note = f"(open({str(tmp_path / 'note')!r}, 'w').write('stopped'), sys.exit(0))"
    code = f"signal.signal(signal.SIGINT, lambda *_: {note}); READY; time.sleep(60)"
    async with supervising(state, make_part("it", code, stop_signal=SIGINT)) as stack:
        await stack.ready("it")
    assert (tmp_path / "note").read_text() == "stopped"


async def test_a_process_that_will_not_stop_is_killed_after_its_grace(state: StateFolder, make_part: MakePart) -> None:
    async with supervising(state, make_part("it", STUBBORN, grace_seconds=0.3)) as stack:
        await stack.ready("it")
        pid = stack.pid("it")
    assert not alive(pid)
    assert stack.status.part("it").state is PartState.STOPPED
    assert "did not stop within" in str(stack.status.part("it").last_exit)


async def test_a_process_that_never_gets_ready_is_started_again(state: StateFolder, make_part: MakePart) -> None:
    async with supervising(state, make_part("it", "time.sleep(60)", start_seconds=0.3)) as stack:
        part = await stack.until("it", lambda part: part.restarts == 1)
        assert part.last_exit == "not ready after 0 s"


async def test_a_preparing_step_that_fails_is_tried_again_with_its_reason(
    state: StateFolder, make_part: MakePart
) -> None:
    part = make_part("it")
    attempts: list[str] = []

    async def launch(say: Say) -> Launch | None:
        attempts.append("")
        if len(attempts) == 1:
            raise StackError("there is no Java")
        return await part.launch(say)

    async with supervising(state, replace(part, launch=launch)) as stack:
        await stack.until("it", lambda part: part.last_exit == "there is no Java")
        await stack.ready("it")
    assert len(attempts) == 2


async def test_a_part_is_ready_only_when_it_is_provisioned(state: StateFolder, make_part: MakePart) -> None:
    attempts: list[PartState] = []

    async def provision() -> None:
        attempts.append(stack.status.part("it").state)
        if len(attempts) == 1:
            raise StackError("no bucket")

    async with supervising(state, replace(make_part("it"), provision=provision)) as stack:
        part = await stack.ready("it")
        assert attempts == [PartState.STARTING, PartState.STARTING]
        assert part.last_exit == "no bucket"


async def test_a_step_is_ready_when_it_is_done_and_leaves_no_process(state: StateFolder) -> None:
    async def launch(_: Say) -> Launch | None:
        return None

    async def unasked() -> bool:
        raise AssertionError("a step is not probed")

    async with supervising(state, Part(name="step", group="tests", launch=launch, probe=unasked)) as stack:
        assert (await stack.ready("step")).process is None


async def test_wanting_again_leaves_what_runs_alone_and_adds_the_rest(state: StateFolder, make_part: MakePart) -> None:
    async with supervising(state, make_part("one")) as stack:
        await stack.ready("one")
        first = stack.pid("one")
        await stack.supervisor.want([make_part("one"), make_part("two", needs=("one",))])
        await stack.ready("two")
        assert stack.pid("one") == first


async def test_wanting_again_tries_at_once_what_rests_after_failures(state: StateFolder, make_part: MakePart) -> None:
    async with supervising(state, make_part("it", "sys.exit(3)")) as stack:
        await stack.until("it", lambda part: part.failures == 2 and part.state is PartState.RESTING)
        await stack.supervisor.want([make_part("it")])
        assert (await stack.ready("it")).failures == 0


async def test_who_waits_for_a_part_that_was_tried_anew_goes_on(state: StateFolder, make_part: MakePart) -> None:
    async with supervising(state, make_part("needed", "sys.exit(3)"), make_part("it", needs=("needed",))) as stack:
        await stack.until("needed", lambda part: part.state is PartState.RESTING)
        await stack.supervisor.want([make_part("needed")])
        await stack.ready("it")


async def test_a_part_with_new_settings_is_started_anew(state: StateFolder, make_part: MakePart) -> None:
    async with supervising(state, make_part("it", edition="1")) as stack:
        await stack.ready("it")
        first = stack.pid("it")
        await stack.supervisor.want([make_part("it", edition="2")])
        await stack.ready("it")
        assert stack.pid("it") != first
        assert not alive(first)


async def test_a_bug_in_a_part_is_not_retried_but_reported(state: StateFolder, make_part: MakePart) -> None:
    async def launch(_: Say) -> Launch | None:
        raise ZeroDivisionError

    async with supervising(state, replace(make_part("it"), launch=launch)) as stack:
        with pytest.raises(ZeroDivisionError):
            await stack.supervisor.failed


async def test_stopping_ends_a_preparing_step(state: StateFolder, make_part: MakePart) -> None:
    begun = asyncio.Event()

    async def launch(_: Say) -> Launch | None:
        begun.set()
        await asyncio.Event().wait()
        return None

    async with supervising(state, replace(make_part("it"), launch=launch)) as stack:
        await begun.wait()
    assert stack.status.part("it").state is PartState.STOPPED


async def test_another_port_restarts_a_part(state: StateFolder, make_part: MakePart) -> None:
    async with supervising(state, replace(make_part("it"), ports={"it": 1001})) as stack:
        await stack.ready("it")
        first = stack.pid("it")
        await stack.supervisor.want([replace(make_part("it"), ports={"it": 1002})])
        part = await stack.ready("it")
        assert (part.process is not None and part.process.pid != first, part.ports) == (True, {"it": 1002})
