"""When to stop waiting, and what to say."""

import os
from pathlib import Path

from pappus.stack.identity import Identity
from pappus.stack.status import PartState, PartStatus, StackStatus
from pappus.stack.trouble import trouble


def stack(**changes: object) -> StackStatus:
    one = StackStatus(state="/none", supervisor=Identity.of(os.getpid()), credentials="", users="")
    return one.model_copy(update=changes)


def failing(failures: int, state: PartState = PartState.RESTING, log: Path = Path("/none")) -> PartStatus:
    return PartStatus(name="it", group="g", state=state, failures=failures, last_exit="exit code 3", log=str(log))


def test_a_start_that_goes_on_is_no_trouble() -> None:
    assert trouble(stack(parts=[failing(4)]), out_of_time=False) is None


def test_a_part_that_keeps_failing_is_shown_with_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "it.log"
    log.write_text("the reason\n")
    text = trouble(stack(parts=[failing(5, log=log)]), out_of_time=False)
    assert text is not None
    assert "it does not start (tried 5 times): exit code 3" in text
    assert "the reason" in text


def test_a_part_that_is_ready_after_failures_is_forgiven() -> None:
    assert trouble(stack(parts=[failing(9, PartState.READY)]), out_of_time=False) is None


def test_a_refused_request_is_said_in_its_own_words() -> None:
    assert trouble(stack(problem="Port 1 is taken"), out_of_time=False) == "Port 1 is taken"


def test_a_dead_supervisor_is_not_waited_for() -> None:
    assert "The supervisor ended" in str(trouble(stack(supervisor=None), out_of_time=False))


def test_who_is_late_is_named() -> None:
    text = trouble(stack(parts=[failing(0, PartState.STARTING)]), out_of_time=True)
    assert text is not None
    assert "it (starting" in text
