"""A component of the stack as data: what it needs, how it starts, when it is ready, how it stops."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pappus.stack.folders import PROJECT
from pappus.stack.unprivileged import Account

Say = Callable[[str], None]
"""Report in a few words what is being done, for the user who waits."""


@dataclass(frozen=True, slots=True)
class Launch:
    """One process to start. `environment` is its whole environment; secrets belong there, never into `arguments`."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path = PROJECT
    account: Account | None = None


async def provision_nothing() -> None:
    """Set up nothing once the component is ready."""


@dataclass(frozen=True, slots=True)
class Component:
    """A server, a service, or a step (whose `launch` returns None: no process stays running).

    `launch` prepares idempotently (fetches, builds, initialises) and returns the process to start. `probe` asks the
    process whether it is ready and raises nothing. `provision` runs once it is ready, before the components that need
    it start: roles, buckets. `launch` and `provision` may raise PappusError or OSError: the component is tried again
    later. `alive` asks the process for any sign of life, None if it is not asked: a process that gives none for
    `hung_seconds`, once it was ready, is killed and started again. A new `config_hash` means that a running process has
    to be restarted for its settings. `low_priority`: no request waits for it once it is ready, so it runs at lower CPU
    priority.
    """

    name: str
    group: str
    launch: Callable[[Say], Awaitable[Launch | None]]
    probe: Callable[[], Awaitable[bool]]
    provision: Callable[[], Awaitable[None]] = provision_nothing
    needs: tuple[str, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    address: str = ""
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 15.0
    start_seconds: float = 120.0
    alive: Callable[[], Awaitable[bool]] | None = None
    hung_seconds: float = 30.0
    config_hash: str = ""
    low_priority: bool = False
