"""Retries: pure delays, and calls that are made again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.errors import InvalidMessage, TransientError
from shared.runtime.retry import RetryPolicy, delay, retrying

policies = st.builds(
    RetryPolicy,
    first_seconds=st.floats(0.01, 1),
    factor=st.floats(1, 4),
    longest_seconds=st.floats(1, 60),
    attempts=st.one_of(st.none(), st.integers(1, 20)),
)


@given(policies, st.integers(1, 10_000))
def test_waits_grow_up_to_the_longest_and_end_with_the_last_attempt(policy: RetryPolicy, attempt: int) -> None:
    seconds, later = delay(policy, attempt), delay(policy, attempt + 1)
    if policy.attempts is not None and attempt >= policy.attempts:
        assert seconds is None
    else:
        assert seconds is not None
        assert policy.first_seconds <= seconds <= policy.longest_seconds
        assert later is None or later >= seconds


def test_the_first_wait_is_the_first_of_the_policy() -> None:
    policy = RetryPolicy(first_seconds=0.5, factor=2, longest_seconds=3)
    assert [delay(policy, attempt) for attempt in (1, 2, 3, 4, 5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_attempts_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="from 1"):
        delay(RetryPolicy(), 0)


@pytest.mark.parametrize("wrong", [{"first_seconds": 0}, {"factor": 0.5}, {"longest_seconds": 0.1}, {"attempts": 0}])
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="use"):
        RetryPolicy(**wrong)  # type: ignore[arg-type]


class Flaky:
    """Fails so often, then answers."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.calls = 0
        self.slept: list[float] = []
        self._failures = failures
        self._error = error

    async def call(self) -> str:
        self.calls += 1
        if self.calls <= self._failures:
            raise self._error
        return "answer"

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def test_a_transient_error_is_tried_again() -> None:
    flaky = Flaky(2, TransientError("away"))
    assert await retrying(RetryPolicy(first_seconds=0.1), flaky.call, flaky.sleep) == "answer"
    assert flaky.slept == [0.1, 0.2]


async def test_the_last_transient_error_is_raised_when_the_policy_gives_up() -> None:
    flaky = Flaky(9, TransientError("away"))
    with pytest.raises(TransientError):
        await retrying(RetryPolicy(attempts=3), flaky.call, flaky.sleep)
    assert flaky.calls == 3


async def test_any_other_exception_passes_at_once() -> None:
    flaky = Flaky(1, InvalidMessage("no"))
    with pytest.raises(InvalidMessage):
        await retrying(RetryPolicy(), flaky.call, flaky.sleep)
    assert flaky.calls == 1


async def test_each_failure_is_reported() -> None:
    flaky, reported = Flaky(2, TransientError("away")), []
    await retrying(
        RetryPolicy(), flaky.call, flaky.sleep, lambda error, attempt: reported.append((str(error), attempt))
    )
    assert reported == [("away", 1), ("away", 2)]
