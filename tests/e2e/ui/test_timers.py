"""What a press draws is shown, whenever the timers of the page ask for a run."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from pappus.stack.ports import free_ports

from .stage import wait_for, with_browser

PAGE, ROOT = Path(__file__).with_name("ticking_page.py"), Path(__file__).parents[3]
PRESSES = 25
GREW = """before => [...document.querySelectorAll("[data-testid=stText]")].some(
    (each) => Number(each.innerText.replace("pressed ", "")) > before)"""


@pytest.fixture
def ticking() -> Iterator[str]:
    """The address of the page whose timer never rests."""
    port = free_ports(("ticking",))["ticking"]
    settings = (
        "server.address=127.0.0.1",
        f"server.port={port}",
        "server.headless=true",
        "server.fileWatcherType=none",
    )
    command = [sys.executable, "-m", "streamlit", "run", str(PAGE), *(f"--{each}" for each in settings)]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


@with_browser
def test_a_timer_does_not_take_back_what_a_press_drew(browser: Browser, ticking: str) -> None:
    with browser.new_context() as context:
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.goto(ticking)
        counted = page.get_by_text("pressed")
        counted.wait_for()
        for _ in range(PRESSES):
            before = int(counted.inner_text().removeprefix("pressed "))
            page.get_by_role("button", name="Press").click()
            page.wait_for_function(GREW, arg=before)
