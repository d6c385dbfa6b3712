"""Small processes to supervise, and a state folder for them."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from signal import SIGTERM, Signals

import pytest

from pappus.stack.folders import StateFolder
from pappus.stack.part import Launch, Part, Say

MakePart = Callable[..., Part]


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    folder = StateFolder.at(tmp_path / "state")
    folder.create()
    return folder


@pytest.fixture
def make_part(tmp_path: Path) -> MakePart:
    """Parts that run a line of Python; ready as soon as `READY` in that line was executed."""

    def make(
        name: str,
        code: str = "READY; time.sleep(60)",
        *,
        needs: tuple[str, ...] = (),
        stop_signal: Signals = SIGTERM,
        grace_seconds: float = 5.0,
        start_seconds: float = 20.0,
        edition: str = "",
    ) -> Part:
        ready = tmp_path / f"{name}.ready"
        source = f"import os, signal, subprocess, sys, time, pathlib; {code}".replace(
            "READY", f"pathlib.Path({str(ready)!r}).touch()"
        )

        async def launch(_: Say) -> Launch:
            ready.unlink(missing_ok=True)
            return Launch((sys.executable, "-S", "-c", source), dict(os.environ), folder=tmp_path)

        async def probe() -> bool:
            return ready.exists()

        return Part(
            name=name,
            group="tests",
            launch=launch,
            probe=probe,
            needs=needs,
            stop_signal=stop_signal,
            grace_seconds=grace_seconds,
            start_seconds=start_seconds,
            edition=edition,
        )

    return make
