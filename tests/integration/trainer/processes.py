"""The trainer's processes as they run in service, to be killed and started again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from pappus.stack.ports import free_ports

ROOT = Path(__file__).parents[3]


class TrainerProcess:
    """`python -m <module>` with these settings (by field names) and a folder of its own."""

    def __init__(self, module: str, settings: Mapping[str, str], folder: Path) -> None:
        (self._port,) = free_ports({"health": 0}).values()
        own = {"health_port": str(self._port), "state_folder": str(folder / module)}
        named = {f"PAPPUS_{name.upper()}": value for name, value in {**settings, **own}.items()}
        self._environment = {**os.environ, **named}
        self._module = module
        self.state_folder = folder / module
        self.output = folder / f"{module}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "TrainerProcess":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGTERM)

    def start(self) -> None:
        """Start it; does not wait until it is ready."""
        self.output.parent.mkdir(parents=True, exist_ok=True)
        with self.output.open("ab") as output:
            command = [sys.executable, "-m", self._module]
            self._process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=output, stderr=output)

    @property
    def pid(self) -> int:
        """The process id. Raises AssertionError if it does not run."""
        assert self._process is not None
        return self._process.pid

    def wait_until_ready(self, timeout_seconds: float = 40.0) -> None:
        """Wait until it says so itself. Raises AssertionError with the end of its output if it does not in time, or has
        ended."""
        deadline = time.monotonic() + timeout_seconds
        while not self.is_ready():
            in_time = time.monotonic() < deadline and self.is_running()
            assert in_time, self.output.read_text()[-4000:]
            time.sleep(0.05)

    def is_running(self) -> bool:
        """Return whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def is_ready(self) -> bool:
        """Return whether it says so."""
        try:
            with urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def writes_tables(self) -> bool:
        """Return whether it says that it writes the tables of the trainer. One that stands by says that, too."""
        if not self.is_running():
            return False
        try:
            answer = urlopen(f"http://127.0.0.1:{self._port}/health", timeout=1)
        except HTTPError as unhealthy:
            answer = unhealthy
        except OSError:
            return False
        with answer:
            part = json.load(answer)["parts"].get("projection trainer", {})
        return bool(part.get("ok")) and not part["detail"]

    def end(self, how: signal.Signals) -> int:
        """Send a signal and wait for the end; gives the exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        return process.wait(timeout=20)
