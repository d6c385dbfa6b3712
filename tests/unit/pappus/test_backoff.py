"""How long a process that died has to wait."""

from hypothesis import given
from hypothesis import strategies as st

from pappus.stack.backoff import failures_after, restart_delay


def test_the_first_restart_comes_after_a_fifth_of_a_second() -> None:
    assert restart_delay(1) == 0.2


@given(st.integers(min_value=1, max_value=10_000))
def test_waiting_never_gets_shorter_and_never_exceeds_ten_seconds(failures: int) -> None:
    assert 0.2 <= restart_delay(failures) <= restart_delay(failures + 1) <= 10.0


@given(st.integers(min_value=0, max_value=100), st.floats(min_value=0, max_value=29.9))
def test_a_process_that_dies_young_waits_longer_each_time(failures: int, seconds: float) -> None:
    assert failures_after(failures, seconds) == failures + 1


@given(st.integers(min_value=0, max_value=100), st.floats(min_value=30, max_value=1e6))
def test_thirty_healthy_seconds_forgive_what_was_before(failures: int, seconds: float) -> None:
    assert failures_after(failures, seconds) == 1
