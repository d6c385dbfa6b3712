"""The predictor's processes, to be asked, killed and started again."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx2

from shared.testing import eventually

START_SECONDS = 60.0
ROOT = Path(__file__).parents[3]


class PredictorProcess:
    """`python -m services.predictor.<module>` with these settings (by field name)."""

    def __init__(self, module: str, settings: Mapping[str, str], output: Path) -> None:
        self._module = f"services.predictor.{module}"
        self._environment = {**os.environ, **{f"PAPPUS_{name.upper()}": value for name, value in settings.items()}}
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{settings['health_port']}"

    def start(self) -> None:
        """Start it; does not wait."""
        with self._output.open("ab") as output:
            command = [sys.executable, "-m", self._module]
            self._process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=output, stderr=output)

    def send(self, how: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(how)

    async def ended(self) -> int:
        """Return the exit code, when it has ended."""
        process = self._process
        assert process is not None
        await eventually(lambda: process.poll() is not None, START_SECONDS)
        return int(process.returncode)

    def kill(self) -> None:
        """End it at once, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def answers(self, path: str) -> bool:
        """Return whether it answers `path` with 200 now. Raises AssertionError with the end of its output if it has
        ended."""
        assert self._process is None or self._process.poll() is None, self.output[-3000:]
        try:
            async with httpx2.AsyncClient() as client:
                return (await client.get(self.url + path)).status_code == 200
        except httpx2.TransportError:
            return False

    async def says(self, words: str) -> bool:
        """Return whether its health report has these words now."""
        return words in await self.report()

    async def report(self) -> str:
        """Return its health report, empty while it does not answer."""
        try:
            async with httpx2.AsyncClient() as client:
                return (await client.get(f"{self.url}/health")).text
        except httpx2.TransportError:
            return ""

    async def until(self, path: str) -> None:
        """Wait until it answers `path` with 200."""
        await eventually(lambda: self.answers(path), START_SECONDS)

    @property
    def output(self) -> str:
        """What it logged."""
        return self._output.read_text()
