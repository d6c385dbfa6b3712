"""The blocks of a page are run in one shell, in order, up to the first that fails, and compared with the page."""

import os
from pathlib import Path

import pytest

from shared.testing import eventually
from tests.documents.pages import blocks_in
from tests.documents.running import Outcome, matches, run_blocks


def run(markdown: str, folder: Path, seconds: float = 20.0) -> list[Outcome]:
    scripts = folder / "scripts"
    scripts.mkdir()
    return run_blocks(blocks_in("a.md", markdown), folder, os.environ, scripts, seconds)


def bash(*blocks: str) -> str:
    return "\n\n".join(f"```bash\n{block}\n```" for block in blocks)


def test_what_a_block_sets_later_ones_have(tmp_path: Path) -> None:
    outcomes = run(bash("A=1; greet() { echo hello $1; }", "greet $A; pwd"), tmp_path)
    assert [outcome.output for outcome in outcomes] == ["", f"hello 1\n{tmp_path}\n"]
    assert [outcome.trouble for outcome in outcomes] == ["", ""]


@pytest.mark.parametrize("command", ["false", "false | true", "echo $UNKNOWN", "exit 3", "no-such-program"])
def test_the_first_block_that_fails_is_the_last(tmp_path: Path, command: str) -> None:
    outcomes = run(bash("echo a", f"echo b\n{command}\necho c", "echo d"), tmp_path)
    assert [outcome.ended for outcome in outcomes] == [True, False]
    assert outcomes[1].trouble.startswith("a.md, line 6 failed:\necho b\n")
    assert "--- it printed ---\nb\n" in outcomes[1].trouble


async def test_a_block_without_end_is_killed_with_what_it_started(tmp_path: Path) -> None:
    (outcome,) = run(bash("sleep 600 & echo $!; wait"), tmp_path, seconds=3.0)

    def gone() -> bool:
        started = Path(f"/proc/{int(outcome.output)}/stat")
        return not started.exists() or started.read_text().rpartition(")")[2].split()[0] == "Z"

    assert not outcome.ended
    await eventually(gone, 30.0)


def test_a_block_reads_nothing_from_the_terminal(tmp_path: Path) -> None:
    (outcome,) = run(bash("cat; echo over"), tmp_path)
    assert outcome.output == "over\n"


def test_an_output_that_is_not_that_of_the_page_is_shown_with_it(tmp_path: Path) -> None:
    (outcome,) = run(bash("echo one two") + "\n\n```text\none three\n```", tmp_path)
    assert outcome.ended
    assert outcome.trouble == "a.md, line 2 printed something else:\none two\n\n--- the page says ---\none three"


@pytest.mark.parametrize(
    ("expected", "output", "same"),
    [
        ("a ... d", "a b c d\n", True),
        ("...\nb\n...", "a\nb\nc\n", True),
        ("a  b", "a b\n", True),
        ("a", "a b\n", False),
        ("a ... c", "a b\n", False),
        ("a ... b ... a", "a b", False),
        ("...\na\n...\nb\n...", "a\nb\n", True),
        ("...\nb\n...\na", "a\nb\n", False),
        ("name ... value", "name value", True),
        ("{...}", "[1]", False),
        ("", "", True),
    ],
)
def test_dots_stand_for_any_text_and_spaces_are_alike(expected: str, output: str, same: bool) -> None:
    assert matches(expected, output) is same
