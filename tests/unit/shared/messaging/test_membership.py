"""Which member of a group goes on, and what it says about itself."""

import pytest

from shared.messaging.kafka import membership
from shared.messaging.kafka.membership import WINDOW_SECONDS, Membership
from shared.testing import eventually


class Member:
    """A membership with a clock of its own."""

    def __init__(self, name: str | None = "one") -> None:
        self.now = 0.0
        self.reports: list[tuple[bool, str]] = []
        self.membership = Membership("group", name, lambda: self.now)
        self.membership.report_to(lambda ok, detail: self.reports.append((ok, detail)))

    def later(self, seconds: float) -> "Member":
        self.now += seconds
        return self


def test_a_member_is_red_until_it_has_its_first_assignment() -> None:
    member = Member()
    assert not member.reports[-1][0]
    member.membership.assigned()
    assert member.reports[-1] == (True, "")


def test_the_second_process_with_a_name_loses_it() -> None:
    member = Member()
    member.membership.assigned()
    taken = member.later(3).membership.thrown_out()
    assert "another process uses the name one" in str(taken)
    assert member.reports[-1] == (False, str(taken))


def test_the_first_process_with_a_name_goes_on_after_one_fight() -> None:
    member = Member()
    member.membership.assigned()
    assert member.later(WINDOW_SECONDS + 1).membership.thrown_out() is None
    assert not member.reports[-1][0]
    member.membership.assigned()
    assert member.reports[-1] == (True, "")


def test_a_process_that_is_thrown_out_twice_in_a_minute_ends() -> None:
    member = Member()
    member.membership.assigned()
    assert member.later(WINDOW_SECONDS + 1).membership.thrown_out() is None
    assert member.later(WINDOW_SECONDS - 1).membership.thrown_out() is not None


def test_a_process_that_is_frozen_now_and_then_goes_on() -> None:
    member = Member()
    member.membership.assigned()
    assert [member.later(WINDOW_SECONDS + 1).membership.thrown_out() for _ in range(3)] == [None] * 3


def test_a_member_without_a_name_always_joins_again() -> None:
    member = Member(name=None)
    member.membership.assigned()
    assert [member.later(1).membership.thrown_out() for _ in range(3)] == [None] * 3


async def test_a_short_rebalance_reports_nothing() -> None:
    member = Member()
    member.membership.assigned()
    member.membership.revoked()
    member.membership.assigned()
    assert all(ok for ok, _ in member.reports[1:])


async def test_a_member_that_waits_long_for_partitions_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "WAIT_SECONDS", 0.1)
    member = Member()
    member.membership.assigned()
    member.membership.revoked()
    await eventually(lambda: not member.reports[-1][0])
    assert "rebalance" in member.reports[-1][1]
