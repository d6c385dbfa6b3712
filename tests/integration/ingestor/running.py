"""The real ingestor as a process, and what it leaves in the log."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar, cast
from urllib.request import urlopen

from shared.contract.dead_letter import DeadLetter
from shared.contract.events import Event
from shared.contract.topics import dead_letter_topic
from shared.messaging.codec import decode
from shared.messaging.event_log import EventLog
from shared.runtime.errors import InvalidMessage
from shared.testing import read_all

E = TypeVar("E", bound=Event)
ROOT = Path(__file__).parents[3]

FAST = {
    "allowed_hosts": '["127.0.0.1"]',
    "fetch_total_seconds": "4",
    "first_retry_seconds": "0.2",
    "max_attempts": "2",
    "replica": "ingestor-under-test",
}
"""Settings of the process under test: a refusal that may pass is soon tried again, once."""


class IngestorProcess:
    """`python -m services.ingestor`, to be killed and started again."""

    def __init__(self, settings: Mapping[str, str], output: Path) -> None:
        self._ready = f"http://127.0.0.1:{settings['health_port']}/readyz"
        self._environment = {**os.environ, **{f"PAPPUS_{name.upper()}": value for name, value in settings.items()}}
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; does not wait until it is ready."""
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services.ingestor"],
                cwd=ROOT,
                env=self._environment,
                stdout=output,
                stderr=output,
            )

    def wait_until_ready(self, timeout_seconds: float = 30.0) -> None:
        """Wait until it says so itself. Raises AssertionError with the end of its output if it does not in time, or has
        ended."""
        deadline = time.monotonic() + timeout_seconds
        while not self._is_ready():
            over = time.monotonic() > deadline or self._process is None or self._process.poll() is not None
            assert not over, self._output.read_text()[-4000:]
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            with urlopen(self._ready, timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def end(self, how: signal.Signals) -> int:
        """Send a signal, wait for the end and return the exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        return process.wait(timeout=15)

    @property
    def pid(self) -> int | None:
        """The id of the process while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def output(self) -> str:
        """Return all it has written so far."""
        return self._output.read_text()

    def replay(self) -> None:
        """Run a replay beside it. Raises CalledProcessError."""
        command = [sys.executable, "-m", "services.replay", "ingestor"]
        subprocess.run(command, cwd=ROOT, env=self._environment, check=True, capture_output=True, timeout=60)


async def dead_letters_of(event_log: EventLog, topic: str) -> list[DeadLetter]:
    """Return the dead letters of `topic` so far."""
    return [
        DeadLetter.model_validate_json(record.value or b"")
        for record in await read_all(event_log, [dead_letter_topic(topic)])
    ]


async def events_of(event_log: EventLog, event: type[E]) -> list[E]:
    """Return all events of one type that are in the log now; what cannot be read is left out."""
    found = []
    for record in await read_all(event_log, [event.topic]):
        with suppress(InvalidMessage):
            found.append(cast("E", decode(record.topic, record.value)))
    return found
