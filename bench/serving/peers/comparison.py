"""The comparison: every server is checked, then each has its turns, one after the other and again."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.secured import wait_until_quiet
from bench.serving.limit import Limit, measure_limit
from bench.serving.load import Load
from bench.serving.peers.answers import ALLOWED, ask, expected_answers, largest_difference, some_of
from bench.serving.peers.running import Server
from bench.serving.peers.table import Measured, Row, markdown
from bench.serving.peers.unavailable import Unavailable

WARM_UP_SECONDS = 2
QUIET_SECONDS = 30.0
"""So long the machine may take to rest before a turn."""


@dataclass(frozen=True)
class Plan:
    """How long is measured with how many connections, how often, and the limit of which model in how many processes."""

    photographs: Sequence[bytes]
    source: Path
    connections: Sequence[int]
    seconds: int
    turns: int
    workers: int


class Comparison:
    """One run. `reasons`: why a server has no figures, by its name."""

    def __init__(self, plan: Plan, servers: Sequence[Server], reasons: dict[str, str]) -> None:
        self._plan = plan
        self._servers = list(servers)
        self._rows = {name: Row(name, reason=reason) for name, reason in reasons.items()}
        self._limits: list[Limit] = []

    def run(self) -> str:
        """Check all, then measure in turns. Return the table in Markdown."""
        self._rows |= {server.name: Row(server.name, server.what) for server in self._servers}
        for server in self._servers:
            self._attempt(server, 0)
        for turn in range(1, self._plan.turns + 1):
            for server in self._servers:
                if self._rows[server.name].reason is None:
                    self._attempt(server, turn)
        return markdown(list(self._rows.values()), self._plan.connections, self._limits)

    def _attempt(self, server: Server, turn: int) -> None:
        """Check a server (turn 0) or measure it; note why if that is impossible."""
        try:
            if turn:
                self._measure(server, turn)
            else:
                self._check(server)
        except Unavailable as error:
            print(f"{server.name} is left out: {error}")
            self._rows[server.name].reason = str(error)

    def _check(self, server: Server) -> None:
        asked = some_of(self._plan.photographs)
        with server.running(asked[0]) as running:
            found = [ask(running.port, server.request, server.key, each) for each in asked]
        largest = largest_difference(server.name, expected_answers(server.source, asked), found, ALLOWED)
        print(f"{server.name} answers {len(asked)} photographs as the model in process, within {largest:.4f}")

    def _measure(self, server: Server, turn: int) -> None:
        plan = self._plan
        wait_until_quiet(QUIET_SECONDS)
        limit = measure_limit(plan.source, plan.photographs, plan.workers, plan.seconds)
        self._limits.append(limit)
        with tempfile.TemporaryDirectory() as folder, server.running(plan.photographs[0]) as running:
            address = f"http://127.0.0.1:{running.port}"
            load = Load(address, server.key, plan.photographs, Path(folder), server.request)
            load.run(max(plan.connections), WARM_UP_SECONDS)
            for count in plan.connections:
                before = running.cpu_seconds()
                found = load.run(count, plan.seconds)
                spent = running.cpu_seconds() - before
                if not found.answered:
                    raise Unavailable(f"no answer with {count} connections")
                measured = Measured(found, found.a_second / limit.a_second, spent / found.answered * 1000)
                self._rows[server.name].measured.setdefault(count, []).append(measured)
                print(
                    f"turn {turn}, {server.name}, {count} connections: {found.a_second:.0f} a second of"
                    f" {limit.a_second:.0f}, share {measured.share:.2f}; CPU of an answer"
                    f" {measured.cpu_milliseconds:.2f} ms; p50 {found.p50:.1f} ms, p99 {found.p99:.1f};"
                    f" failed {found.failed}"
                )
