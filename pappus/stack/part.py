"""A part of the stack as data: what it needs, how it is started, when it is ready, how it stops."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pappus.stack.folders import PROJECT
from pappus.stack.unprivileged import Account

Say = Callable[[str], None]
"""Tells the person who waits what is being done, in a few words."""


@dataclass(frozen=True, slots=True)
class Launch:
    """One process to start. `environment` is all it gets; secrets go there, never into `arguments`."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path = PROJECT
    account: Account | None = None


async def nothing_more() -> None:
    """A part with nothing to set up once it is ready."""


@dataclass(frozen=True, slots=True)
class Part:
    """A server, a service, or a step (whose `launch` returns None: nothing stays running).

    `launch` does what must come before, idempotently (fetch, build, initialise), and says which process to start.
    `probe` asks the process itself whether it is ready; it raises nothing. `provision` runs when it is, before those
    that need this part may start: roles, buckets. `launch` and `provision` may raise PappusError or OSError: the
    part is then tried again later. `edition` changes when a running process has to be restarted for its
    settings. `gives_way`: nobody waits for it once it is ready, so others go before it.
    """

    name: str
    group: str
    launch: Callable[[Say], Awaitable[Launch | None]]
    probe: Callable[[], Awaitable[bool]]
    provision: Callable[[], Awaitable[None]] = nothing_more
    needs: tuple[str, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    address: str = ""
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 15.0
    start_seconds: float = 120.0
    edition: str = ""
    gives_way: bool = False
