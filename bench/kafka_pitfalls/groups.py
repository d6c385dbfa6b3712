"""How long a group stands still after a member is killed or leaves, by session timeout and kind of membership."""

import asyncio
import random
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from time import perf_counter

from bench.kafka_pitfalls.clients import new_topic, producer
from bench.kafka_pitfalls.rows import Row, format_durations

PARTITIONS = 4
ROUNDS = 3
LONGEST_SECONDS = 120.0
LONG, SHORT = 45, 10
"""Session timeouts in seconds."""
HEARTBEAT_SECONDS = 3.0


class Member:
    """A member in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def wait_for(self, line: str) -> None:
        """Wait until it prints this line. Raises TimeoutError, or RuntimeError if it ends before."""
        assert self._process.stdout is not None
        async with asyncio.timeout(LONGEST_SECONDS):
            while printed := (await self._process.stdout.readline()).decode().strip():
                if printed == line:
                    return
        raise RuntimeError(f"A member ended before it printed {line!r}. Is the broker up?")

    async def gets_message(self) -> bool:
        """Return whether it prints "message" within two heartbeats."""
        with suppress(TimeoutError, RuntimeError):
            async with asyncio.timeout(2 * HEARTBEAT_SECONDS):
                await self.wait_for("message")
                return True
        return False

    async def end(self, number: signal.Signals) -> None:
        """Send a signal, and wait until the process is gone."""
        if self._process.returncode is None:
            self._process.send_signal(number)
            await self._process.wait()


class Group:
    """A group on a topic of its own with four partitions. `static` members have an instance id."""

    def __init__(self, bootstrap: str, topic: str, session_seconds: int, static: bool) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._session_seconds = session_seconds
        self._static = static
        self._name = f"pitfall-{uuid.uuid4().hex[:8]}"
        self._members: list[Member] = []

    @classmethod
    @asynccontextmanager
    async def open(cls, bootstrap: str, session_seconds: int, static: bool) -> AsyncIterator["Group"]:
        """Yield a group without members; those that are started are killed at the end."""
        group = cls(bootstrap, await new_topic(bootstrap, PARTITIONS), session_seconds, static)
        try:
            yield group
        finally:
            for member in group._members:
                await member.end(signal.SIGKILL)

    async def start(self, number: int) -> Member:
        """Start member `number`; one that is started again with its number has the same instance id."""
        arguments = [self._bootstrap, self._name, self._topic, str(self._session_seconds * 1000)]
        if self._static:
            arguments.append(f"{self._name}-{number}")
        command = (sys.executable, "-m", "bench.kafka_pitfalls.member", *arguments)
        member = Member(await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE))
        self._members.append(member)
        return member

    async def send(self) -> None:
        """Put a message into each partition."""
        async with producer(self._bootstrap) as sender:
            for partition in range(PARTITIONS):
                await sender.send_and_wait(self._topic, b"x", partition=partition)


Scenario = Callable[[Group], Awaitable[float]]


async def restarts(bootstrap: str) -> AsyncIterator[Row]:
    """Yield rows on a group of one that is killed and started again at once: seconds from the kill to its next
    message."""
    kinds = {
        f"session {LONG} s": (_restart, LONG, False),
        f"session {SHORT} s": (_restart, SHORT, False),
        f"session {LONG} s, static": (_restart, LONG, True),
    }
    for what, seconds in (await _measure(bootstrap, kinds)).items():
        yield Row(f"killed consumer to the first message of its successor, {what}", format_durations(seconds))


async def shared_instance_id(bootstrap: str) -> AsyncIterator[Row]:
    """Yield a row on two members that were given the same instance id."""
    async with Group.open(bootstrap, LONG, static=True) as group:
        first = await group.start(0)
        await first.wait_for(f"owns {PARTITIONS}")
        second = await group.start(0)
        await second.wait_for(f"owns {PARTITIONS}")
        await group.send()
        found = await asyncio.gather(*(member.gets_message() for member in (first, second)))
    yield Row(
        "two members with one group_instance_id, a message to each partition", f"{sum(found)} of 2 members get it"
    )


async def hand_overs(bootstrap: str) -> AsyncIterator[Row]:
    """Yield rows on a group of two of which one ends: seconds until the other owns all partitions."""
    kinds = {
        f"kill -9, session {LONG} s": (_survive(signal.SIGKILL), LONG, False),
        f"kill -9, session {SHORT} s": (_survive(signal.SIGKILL), SHORT, False),
        "a clean leave": (_survive(signal.SIGTERM), LONG, False),
        f"a clean leave of a static member, session {LONG} s": (_survive(signal.SIGTERM), LONG, True),
    }
    for what, seconds in (await _measure(bootstrap, kinds)).items():
        yield Row(f"survivor owns all partitions after {what}", format_durations(seconds))


async def _measure(bootstrap: str, kinds: Mapping[str, tuple[Scenario, int, bool]]) -> Mapping[str, list[float]]:
    """Measure all kinds side by side, since they mostly wait, ROUNDS times one after the other."""
    found: dict[str, list[float]] = {what: [] for what in kinds}

    async def once(what: str, scenario: Scenario, session_seconds: int, static: bool) -> None:
        async with Group.open(bootstrap, session_seconds, static) as group:
            found[what].append(await scenario(group))

    for _ in range(ROUNDS):
        await asyncio.gather(*(once(what, *kind) for what, kind in kinds.items()))
    return found


async def _restart(group: Group) -> float:
    first = await group.start(0)
    await first.wait_for(f"owns {PARTITIONS}")
    await group.send()
    await first.wait_for("message")
    await _any_moment()
    await first.end(signal.SIGKILL)
    began = perf_counter()
    await (await group.start(0)).wait_for("message")  # nothing was committed: the same message again
    return perf_counter() - began


def _survive(number: signal.Signals) -> Scenario:
    async def scenario(group: Group) -> float:
        survivor = await group.start(0)
        await survivor.wait_for(f"owns {PARTITIONS}")
        other = await group.start(1)
        await asyncio.gather(survivor.wait_for(f"owns {PARTITIONS // 2}"), other.wait_for(f"owns {PARTITIONS // 2}"))
        await _any_moment()
        began = perf_counter()
        await asyncio.gather(other.end(number), survivor.wait_for(f"owns {PARTITIONS}"))
        return perf_counter() - began

    return scenario


async def _any_moment() -> None:
    """Wait for a random part of the interval, since members that have just joined send their heartbeats together."""
    await asyncio.sleep(random.uniform(0, HEARTBEAT_SECONDS))
