"""When waiting ends, and the text that explains why."""

import os
from pathlib import Path

from pappus.stack.diagnosis import diagnose
from pappus.stack.identity import Identity
from pappus.stack.status import ComponentState, ComponentStatus, StackStatus


def stack(**changes: object) -> StackStatus:
    one = StackStatus(state="/none", supervisor=Identity.of(os.getpid()), credentials="", users="")
    return one.model_copy(update=changes)


def explain(status: StackStatus, out_of_time: bool = False, give_up_failures: int = 5) -> str | None:
    return diagnose(status, status.components, out_of_time, give_up_failures)


def failing(
    failures: int, state: ComponentState = ComponentState.BACKOFF, log: Path = Path("/none")
) -> ComponentStatus:
    return ComponentStatus(name="it", group="g", state=state, failures=failures, last_exit="exit code 3", log=str(log))


def test_a_start_in_progress_is_no_problem() -> None:
    assert explain(stack(components=[failing(4)])) is None


def test_a_component_that_keeps_failing_is_shown_with_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "it.log"
    log.write_text("the reason\n")
    text = explain(stack(components=[failing(5, log=log)]))
    assert text is not None
    assert "it does not start (tried 5 times): exit code 3" in text
    assert "the reason" in text


def test_a_component_that_is_ready_after_failures_is_forgiven() -> None:
    assert explain(stack(components=[failing(9, ComponentState.READY)])) is None


def test_a_refused_request_is_explained_in_its_own_words() -> None:
    assert explain(stack(problem="Port 1 is taken")) == "Port 1 is taken"


def test_a_dead_supervisor_is_not_waited_for() -> None:
    assert "The supervisor ended" in str(explain(stack(supervisor=None)))


def test_a_late_component_is_named() -> None:
    text = explain(stack(components=[failing(0, ComponentState.STARTING)]), out_of_time=True)
    assert text is not None
    assert "it (starting" in text


def test_a_restart_is_given_up_after_its_first_failure() -> None:
    one = stack(components=[failing(1)])
    assert "does not start (tried once)" in str(explain(one, give_up_failures=1))
    assert explain(one) is None


def test_only_awaited_components_count() -> None:
    assert diagnose(stack(components=[failing(9)]), [], out_of_time=True) is None
