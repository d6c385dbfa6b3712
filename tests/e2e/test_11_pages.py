"""What the pages tell people to type works, in the order of the page, and prints what the page says."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pappus.demo.drawing import draw
from pappus.stack.ports import DEFAULT_PORTS
from tests.documents.pages import ROOT
from tests.documents.plan import RUN_PAGES, blocks_to_run
from tests.documents.running import run_blocks

from .demo_run import Told

SECONDS = 240
ADDRESS = re.compile(r"127\.0\.0\.1:(\d+)")
LEFT_BEHIND = (".pappus",)


@pytest.fixture
def checkout(told: Told, tmp_path: Path) -> Path:
    """A folder like a checkout in which a person has started the stack and has a picture: the commands of a page run in
    it, and write nothing into the real one."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in LEFT_BEHIND:
            (folder / entry.name).symlink_to(entry)
    (folder / ".pappus").symlink_to(told.stack.state.root)
    (folder / "photo.jpg").write_bytes(draw("dandelion", 0, seed=99))
    return folder


@pytest.fixture
def ports(told: Told) -> Mapping[str, str]:
    """The ports of this stack by the ports that the pages name."""
    chosen = told.stack.ports()
    return {str(number): str(chosen[name]) for name, number in DEFAULT_PORTS.items()}


def moved(text: str, ports: Mapping[str, str]) -> str:
    """Return the text with the addresses of this stack."""
    return ADDRESS.sub(lambda found: f"127.0.0.1:{ports.get(found[1], found[1])}", text)


def environment(told: Told) -> dict[str, str]:
    """Return the environment of a person's shell in which the programs of this environment come first."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ours = {"PATH": programs, "PAPPUS_STATE": str(told.stack.state.root), "COLUMNS": "200", "PYTHONPATH": ""}
    return os.environ | ours | {"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize("page", RUN_PAGES)
async def test_the_commands_of_a_page_do_what_it_says(
    told: Told, checkout: Path, ports: Mapping[str, str], tmp_path: Path, page: str
) -> None:
    await told.until_ready()
    blocks = [
        replace(each, text=moved(each.text, ports), expected=each.expected and moved(each.expected, ports))
        for each in blocks_to_run(page)
    ]
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    outcomes = run_blocks(blocks, checkout, environment(told), scripts, SECONDS)
    if trouble := [outcome.trouble for outcome in outcomes if outcome.trouble]:
        pytest.fail("\n\n".join(trouble), pytrace=False)
    assert len(outcomes) == len(blocks)
