"""What becomes of one member of a group: it has its partitions, waits for them, was thrown out, or lost its name."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from shared.messaging.event_log import ReportMembership
from shared.runtime.errors import PappusError

WAIT_SECONDS = 10.0
"""How long a member waits for partitions before its health says so; most rebalances take less than one second."""
WINDOW_SECONDS = 60.0


class NameTaken(PappusError):
    """Another process is a member of the group under the same name: Kafka gives the place to whichever came last."""


class Membership:
    """Follows the assignments of one member. `name` is its static name (PAPPUS_REPLICA), None if it has none.

    Two processes with one name throw each other out, each at its next heartbeat, without end. A process that was frozen
    is thrown out as well, but not again and again. So the one that is thrown out within WINDOW_SECONDS of its first
    assignment, the second to come, loses the name; and so does one that is thrown out twice in that time.
    """

    def __init__(self, group: str, name: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._group = group
        self._name = name
        self._clock = clock
        self._first: float | None = None
        self._thrown_out: deque[float] = deque(maxlen=2)
        self._state = (False, f"waits for its first partitions of group {group}")
        self._report: ReportMembership = lambda _ok, _detail: None
        self._timer: asyncio.TimerHandle | None = None

    def report_to(self, report: ReportMembership) -> None:
        """Report the state now, and each change of it."""
        self._report = report
        report(*self._state)

    @property
    def joined(self) -> bool:
        """Whether it has been assigned anything, be it nothing at all, since it was made."""
        return self._first is not None

    def assigned(self) -> None:
        """Partitions were assigned; none if there are more members than partitions."""
        self._first = self._clock() if self._first is None else self._first
        self._change(True, "")

    def revoked(self) -> None:
        """The partitions were revoked, because the group rebalances."""
        self._stop_timer()
        detail = f"waits for its partitions of group {self._group}: a rebalance goes on"
        self._timer = asyncio.get_running_loop().call_later(WAIT_SECONDS, self._change, False, detail)

    def thrown_out(self) -> NameTaken | None:
        """Kafka no longer knows this member. Returns the reason not to join again; None: join again."""
        now = self._clock()
        self._thrown_out.append(now)
        if self._name is None:
            self._change(False, f"was thrown out of group {self._group}: it was silent for too long. It joins again.")
            return None
        young = self._first is not None and now - self._first < WINDOW_SECONDS
        again = len(self._thrown_out) == 2 and now - self._thrown_out[0] < WINDOW_SECONDS
        if not (young or again):
            detail = f"was thrown out of group {self._group}: it was silent for too long, or another process uses"
            self._change(False, f"{detail} the name {self._name}. It joins again.")
            return None
        taken = NameTaken(
            f"In group {self._group} another process uses the name {self._name}. Give each process a PAPPUS_REPLICA of"
            " its own, or none: members without a name share the work."
        )
        self._change(False, str(taken))
        return taken

    def _change(self, ok: bool, detail: str) -> None:
        self._stop_timer()
        self._state = (ok, detail)
        self._report(ok, detail)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
