"""kill -9 of each service process in turn while the demo runs: the story ends right every time, and every input has an
outcome. Minutes long, so only on demand: `make chaos`.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pappus.demo.drawing import DRAWN_LABELS, write_set
from pappus.demo.images import choose
from pappus.stack import Stack
from pappus.stack.services import SERVICES
from pappus.stack_client import RunningStack
from shared.testing import eventually

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

IMAGES_PER_LABEL = 60
"""Enough test images that one correction cannot look like a loss of five points."""
KILL_AFTER = ("Images: ", "images in: done", "predictions: done")
"""What the demo says when images begin to come in, a model is trained, and corrections are made."""


@pytest.mark.parametrize("victim", [service.name for service in SERVICES])
async def test_the_story_ends_right_though_a_service_is_killed_again_and_again(
    stack: Stack, tmp_path: Path, victim: str
) -> None:
    seed = [service.name for service in SERVICES].index(victim) + 100
    images, report = tmp_path / f"images-{seed}", tmp_path / "report.json"
    write_set(images, IMAGES_PER_LABEL, seed)

    demo = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pappus.cli", "demo", "--state", str(stack.state.root),
        "--images", str(images), "--report", str(report),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert demo.stdout is not None
    said, killed = "", set[int]()
    async for line in demo.stdout:
        said += line.decode()
        if line.decode().startswith(KILL_AFTER):
            killed.add(await _kill(stack, victim))

    assert await demo.wait() == 0, said[-3000:]
    assert len(killed) == len(KILL_AFTER), said
    figures = json.loads(report.read_text())["figures"]
    assert figures["new_rows"] == figures["stored"] == 2 * IMAGES_PER_LABEL
    assert figures["corrected_hold"] == figures["corrected"] > 0
    await eventually(lambda: (process := stack.status().component(victim).process) and process.pid not in killed, 60)
    running = RunningStack.find(stack.state)
    source = await choose(str(images), DRAWN_LABELS, running.serving.url, images)
    assert await running.plants.wait_for_outcomes(source.rows, 10, lambda _: None) == {}


async def _kill(stack: Stack, victim: str) -> int:
    """Send kill -9 to the process that runs now, or as soon as it runs again, and return its id."""
    process = await eventually(lambda: stack.status().component(victim).process, 60)
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    return process.pid
