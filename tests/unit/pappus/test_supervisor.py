"""Supervision, on small processes: order, restarts, back-off, and how things end."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGSTOP

import psutil
import pytest

from pappus.stack.component import Component, Launch, Say
from pappus.stack.errors import StackError
from pappus.stack.folders import StateFolder
from pappus.stack.status import ComponentState, ComponentStatus, StackStatus, read_status
from pappus.stack.supervisor import Supervisor

MakeComponent = Callable[..., Component]
pytestmark = pytest.mark.slow
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN); READY; time.sleep(60)"


class Watched:
    """A supervisor, with questions about its components."""

    def __init__(self, supervisor: Supervisor, status: StackStatus) -> None:
        self.supervisor = supervisor
        self.status = status

    async def until(self, name: str, question: Callable[[ComponentStatus], bool]) -> ComponentStatus:
        """Wait until the component is as asked; the time-out of the test is the limit."""
        while not question(component := self.status.component(name)):
            if self.supervisor.failed.done():
                self.supervisor.failed.result()
            await asyncio.sleep(0.02)
        return component

    async def ready(self, name: str) -> ComponentStatus:
        return await self.until(name, lambda component: component.state is ComponentState.READY)

    def pid(self, name: str) -> int:
        process = self.status.component(name).process
        assert process is not None
        return process.pid


@asynccontextmanager
async def supervising(state: StateFolder, *components: Component) -> AsyncIterator[Watched]:
    status = StackStatus(state=str(state.root), credentials="", users="")
    supervisor = Supervisor(state, status)
    try:
        await supervisor.apply(components)
        yield Watched(supervisor, status)
    finally:
        await supervisor.stop()


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def test_a_component_starts_when_all_it_needs_is_ready(state: StateFolder, make_component: MakeComponent) -> None:
    needed, needing = (
        make_component("needed", "time.sleep(0.3); READY; time.sleep(60)"),
        make_component("needing", needs=("needed",)),
    )
    async with supervising(state, needing, needed) as stack:
        await stack.until("needed", lambda component: component.state is ComponentState.STARTING)
        assert stack.status.component("needing").state is ComponentState.WAITING
        await stack.ready("needing")
        assert stack.status.component("needed").since <= stack.status.component("needing").since


async def test_components_stop_in_the_reverse_order(
    state: StateFolder, make_component: MakeComponent, tmp_path: Path
) -> None:
    def noting(name: str, needs: tuple[str, ...] = ()) -> Component:
        note = f"(open({str(tmp_path / 'order')!r}, 'a').write({name!r}), sys.exit(0))"
        return make_component(
            name, f"signal.signal(signal.SIGTERM, lambda *_: {note}); READY; time.sleep(60)", needs=needs
        )

    async with supervising(state, noting("a"), noting("b", needs=("a",)), noting("c", needs=("b",))) as stack:
        await stack.ready("c")
    assert (tmp_path / "order").read_text() == "cba"


async def test_a_killed_process_comes_back_and_the_status_says_so(
    state: StateFolder, make_component: MakeComponent
) -> None:
    async with supervising(state, make_component("it")) as stack:
        await stack.ready("it")
        first = stack.pid("it")
        psutil.Process(first).send_signal(SIGKILL)
        component = await stack.until(
            "it", lambda component: component.restarts == 1 and component.state is ComponentState.READY
        )
        assert component.last_exit == "killed by SIGKILL"
        assert stack.pid("it") != first
        assert read_status(state).component("it").restarts == 1


@pytest.mark.parametrize("niceness", [10, 0])
async def test_a_background_component_runs_at_lower_priority_once_ready(
    state: StateFolder, make_component: MakeComponent, monkeypatch: pytest.MonkeyPatch, niceness: int
) -> None:
    monkeypatch.setenv("PAPPUS_BACKGROUND_NICENESS", str(niceness))
    polite, other = replace(make_component("polite"), low_priority=True), make_component("other")
    async with supervising(state, polite, other) as stack:
        await stack.ready("polite")
        await stack.ready("other")
        usual = psutil.Process(stack.pid("other")).nice()
        assert psutil.Process(stack.pid("polite")).nice() == min(19, usual + niceness)


async def test_a_process_that_keeps_dying_rests_longer_and_keeps_its_exit_code(
    state: StateFolder, make_component: MakeComponent
) -> None:
    async with supervising(state, make_component("it", "sys.exit(3)")) as stack:
        component = await stack.until(
            "it", lambda component: component.failures == 3 and component.state is ComponentState.BACKOFF
        )
        assert component.last_exit == "exit code 3"
        assert "again in 0.8 s" in component.detail


async def test_what_a_dead_process_left_running_does_not_outlive_it(
    state: StateFolder, make_component: MakeComponent
) -> None:
    below = "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])"
    async with supervising(
        state, make_component("it", f"{below}; print(child.pid, flush=True); READY; time.sleep(60)")
    ) as stack:
        await stack.ready("it")
        grandchild = int(state.log("it").read_text())
        assert alive(grandchild)
        psutil.Process(stack.pid("it")).kill()
        await stack.until("it", lambda component: component.restarts == 1)
        assert not alive(grandchild)


async def test_a_process_gets_its_own_stop_signal(
    state: StateFolder, make_component: MakeComponent, tmp_path: Path
) -> None:
    note = f"(open({str(tmp_path / 'note')!r}, 'w').write('stopped'), sys.exit(0))"
    code = f"signal.signal(signal.SIGINT, lambda *_: {note}); READY; time.sleep(60)"
    async with supervising(state, make_component("it", code, stop_signal=SIGINT)) as stack:
        await stack.ready("it")
    assert (tmp_path / "note").read_text() == "stopped"


async def test_a_process_that_will_not_stop_is_killed_after_its_grace(
    state: StateFolder, make_component: MakeComponent
) -> None:
    async with supervising(state, make_component("it", STUBBORN, grace_seconds=0.3)) as stack:
        await stack.ready("it")
        pid = stack.pid("it")
    assert not alive(pid)
    assert stack.status.component("it").state is ComponentState.STOPPED
    assert "did not stop within" in str(stack.status.component("it").last_exit)


async def test_a_process_that_never_gets_ready_is_started_again(
    state: StateFolder, make_component: MakeComponent
) -> None:
    async with supervising(state, make_component("it", "time.sleep(60)", start_seconds=0.3)) as stack:
        component = await stack.until("it", lambda component: component.restarts == 1)
        assert component.last_exit == "not ready after 0 s"


async def test_a_process_that_hangs_is_killed_and_started_again(
    state: StateFolder, make_component: MakeComponent, tmp_path: Path
) -> None:
    hanging = make_component("it", grace_seconds=600)
    hanging = replace(hanging, alive=hanging.probe, hung_seconds=0.3)
    async with supervising(state, hanging) as stack:
        await stack.ready("it")
        first = stack.pid("it")
        os.kill(first, SIGSTOP)
        (tmp_path / "it.ready").unlink()
        component = await stack.until("it", lambda component: component.restarts == 1)
        assert component.last_exit == "no answer for 0 s: it was stopped, or it hangs"
        assert not alive(first)
        await stack.ready("it")


async def test_a_process_that_gives_a_sign_of_life_is_left_alone(
    state: StateFolder, make_component: MakeComponent, tmp_path: Path
) -> None:
    signs: list[str] = []

    async def sign() -> bool:
        signs.append("")
        return True

    async with supervising(state, replace(make_component("it"), alive=sign, hung_seconds=0.2)) as stack:
        await stack.ready("it")
        (tmp_path / "it.ready").unlink()
        component = await stack.until("it", lambda _: len(signs) >= 8)
        assert component.restarts == 0
        assert component.state is ComponentState.UNREADY


async def test_a_preparing_step_that_fails_is_tried_again_with_its_reason(
    state: StateFolder, make_component: MakeComponent
) -> None:
    component = make_component("it")
    attempts: list[str] = []

    async def launch(say: Say) -> Launch | None:
        attempts.append("")
        if len(attempts) == 1:
            raise StackError("there is no Java")
        return await component.launch(say)

    async with supervising(state, replace(component, launch=launch)) as stack:
        await stack.until("it", lambda component: component.last_exit == "there is no Java")
        await stack.ready("it")
    assert len(attempts) == 2


async def test_a_component_is_ready_only_when_it_is_provisioned(
    state: StateFolder, make_component: MakeComponent
) -> None:
    attempts: list[ComponentState] = []

    async def provision() -> None:
        attempts.append(stack.status.component("it").state)
        if len(attempts) == 1:
            raise StackError("no bucket")

    async with supervising(state, replace(make_component("it"), provision=provision)) as stack:
        component = await stack.ready("it")
        assert attempts == [ComponentState.STARTING, ComponentState.STARTING]
        assert component.last_exit == "no bucket"


async def test_a_step_is_ready_when_it_is_done_and_leaves_no_process(state: StateFolder) -> None:
    async def launch(_: Say) -> Launch | None:
        return None

    async def unasked() -> bool:
        raise AssertionError("a step is not probed")

    async with supervising(state, Component(name="step", group="tests", launch=launch, probe=unasked)) as stack:
        assert (await stack.ready("step")).process is None


async def test_wanting_again_leaves_what_runs_alone_and_adds_the_rest(
    state: StateFolder, make_component: MakeComponent
) -> None:
    async with supervising(state, make_component("one")) as stack:
        await stack.ready("one")
        first = stack.pid("one")
        await stack.supervisor.apply([make_component("one"), make_component("two", needs=("one",))])
        await stack.ready("two")
        assert stack.pid("one") == first


async def test_wanting_again_tries_at_once_what_rests_after_failures(
    state: StateFolder, make_component: MakeComponent
) -> None:
    async with supervising(state, make_component("it", "sys.exit(3)")) as stack:
        await stack.until("it", lambda component: component.failures == 2 and component.state is ComponentState.BACKOFF)
        await stack.supervisor.apply([make_component("it")])
        assert (await stack.ready("it")).failures == 0


async def test_a_component_that_waits_for_a_renewed_one_starts(
    state: StateFolder, make_component: MakeComponent
) -> None:
    async with supervising(
        state, make_component("needed", "sys.exit(3)"), make_component("it", needs=("needed",))
    ) as stack:
        await stack.until("needed", lambda component: component.state is ComponentState.BACKOFF)
        await stack.supervisor.apply([make_component("needed")])
        await stack.ready("it")


async def test_a_component_with_new_settings_is_started_anew(state: StateFolder, make_component: MakeComponent) -> None:
    async with supervising(state, make_component("it", config_hash="1")) as stack:
        await stack.ready("it")
        first = stack.pid("it")
        await stack.supervisor.apply([make_component("it", config_hash="2")])
        await stack.ready("it")
        assert stack.pid("it") != first
        assert not alive(first)


async def test_a_component_that_is_wanted_no_longer_is_stopped_and_forgotten(
    state: StateFolder, make_component: MakeComponent
) -> None:
    async with supervising(state, make_component("stays"), make_component("goes")) as stack:
        await stack.ready("stays")
        await stack.ready("goes")
        process = stack.pid("goes")
        await stack.supervisor.remove({"goes"})
        assert not alive(process)
        assert [component.name for component in stack.status.components] == ["stays"]
        await stack.supervisor.apply([make_component("stays"), make_component("goes")])
        await stack.ready("goes")


async def test_a_bug_in_a_component_is_not_retried_but_reported(
    state: StateFolder, make_component: MakeComponent
) -> None:
    async def launch(_: Say) -> Launch | None:
        raise ZeroDivisionError

    async with supervising(state, replace(make_component("it"), launch=launch)) as stack:
        with pytest.raises(ZeroDivisionError):
            await stack.supervisor.failed


async def test_stopping_ends_a_preparing_step(state: StateFolder, make_component: MakeComponent) -> None:
    begun = asyncio.Event()

    async def launch(_: Say) -> Launch | None:
        begun.set()
        await asyncio.Event().wait()
        return None

    async with supervising(state, replace(make_component("it"), launch=launch)) as stack:
        await begun.wait()
    assert stack.status.component("it").state is ComponentState.STOPPED


async def test_another_port_restarts_a_part(state: StateFolder, make_component: MakeComponent) -> None:
    async with supervising(state, replace(make_component("it"), ports={"it": 1001})) as stack:
        await stack.ready("it")
        first = stack.pid("it")
        await stack.supervisor.apply([replace(make_component("it"), ports={"it": 1002})])
        component = await stack.ready("it")
        assert (component.process is not None and component.process.pid != first, component.ports) == (
            True,
            {"it": 1002},
        )


async def test_a_named_restart_renews_that_process_alone(state: StateFolder, make_component: MakeComponent) -> None:
    one, other = make_component("one"), make_component("other")
    async with supervising(state, one, other) as stack:
        await stack.ready("one")
        await stack.ready("other")
        first, kept = stack.pid("one"), stack.pid("other")
        await stack.supervisor.apply([one, other], restart=["one"])
        await stack.ready("one")
        assert stack.pid("one") != first
        assert not alive(first)
        assert stack.pid("other") == kept


async def test_a_stopped_component_stays_stopped_until_it_is_applied(
    state: StateFolder, make_component: MakeComponent
) -> None:
    one, other = make_component("one"), make_component("other")
    async with supervising(state, one, other) as stack:
        await stack.ready("one")
        await stack.ready("other")
        first, kept = stack.pid("one"), stack.pid("other")
        await stack.supervisor.stop_components(["one"])
        assert not alive(first)
        assert read_status(state).component("one").stopped_on_request
        await stack.supervisor.apply([other])
        assert stack.status.component("one").state is ComponentState.STOPPED
        await stack.supervisor.apply([one, other])
        await stack.ready("one")
        assert not stack.status.component("one").stopped_on_request
        assert stack.pid("other") == kept


async def test_stopping_again_what_is_stopped_changes_nothing(
    state: StateFolder, make_component: MakeComponent
) -> None:
    async with supervising(state, make_component("it")) as stack:
        await stack.ready("it")
        await stack.supervisor.stop_components(["it", "unknown"])
        since = stack.status.component("it").since
        await stack.supervisor.stop_components(["it"])
        assert stack.status.component("it").since == since
