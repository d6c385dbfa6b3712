"""Each worked example of docs/extending.md, done in a copy of the tree as the page says it."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents.markdown import DOCS, ROOT, Block, blocks, sections

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

EXAMPLES = {name: blocks(text) for name, text in sections((DOCS / "extending.md").read_text()).items()}
PROGRAMS = {".venv/bin/python": [sys.executable], "make generated": [sys.executable, "-m", "infra.generate"]}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of what git tracks here, and of what it does not ignore."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, found.split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def commands(text: str) -> Iterator[list[str]]:
    """Yield the command of each line, with the interpreter of this test."""
    for line in filter(None, text.replace("\\\n", " ").splitlines()):
        start = next(name for name in PROGRAMS if line.startswith(name))
        yield [*PROGRAMS[start], *shlex.split(line.removeprefix(start))]


def run(arguments: list[str], tree: Path, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, cwd=tree, input=text, capture_output=True, text=True, check=False)


def follow(block: Block, failed: list[str], tree: Path) -> None:
    """Do what one block says. `failed` takes the output of a command that has to fail; a block of text quotes it."""
    match block.language, block.word:
        case "diff", "":
            done = run(["git", "apply", "--recount", "-"], tree, block.text)
            assert done.returncode == 0, f"The tree has changed below this patch: {done.stderr}\n{block.text}"
        case "sh", word:
            for command in commands(block.text):
                done = run(command, tree)
                assert (done.returncode != 0) == (word == "fails"), f"{command}\n{done.stdout}{done.stderr}"
                failed[:] = [done.stdout]
        case "text", "":
            assert block.text.strip() in failed[0]
        case _, path:
            assert not (tree / path).exists(), f"{path} is there already: write its change as a diff."
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(block.text)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_works_when_one_follows_it(example: str, tree: Path) -> None:
    failed: list[str] = []
    for block in EXAMPLES[example]:
        follow(block, failed, tree)


def test_each_example_changes_adds_and_runs_and_the_rule_fails_first() -> None:
    assert list(EXAMPLES) == ["Add an event", "Add a rule of the gate", "Add a backbone"]
    for found in EXAMPLES.values():
        assert {block.language for block in found} >= {"diff", "sh"}
    assert next(block.word for block in EXAMPLES["Add a rule of the gate"] if block.language == "sh") == "fails"
