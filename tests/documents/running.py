"""The blocks of a page, run one after the other in one bash, and what they print compared with what the page says."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.documents.pages import Block

SHELL = ("bash", "--noprofile", "--norc", "-euo", "pipefail")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a block printed (stdout and stderr as they came), and whether it reached its end."""

    block: Block
    output: str
    ended: bool

    @property
    def trouble(self) -> str:
        """What is wrong with it, in words; "" if it did what the page says."""
        where = f"{self.block.page}, line {self.block.line}"
        if not self.ended:
            return f"{where} failed:\n{self.block.text}\n--- it printed ---\n{self.output}"
        if self.block.expected is None or matches(self.block.expected, self.output):
            return ""
        return f"{where} printed something else:\n{self.output}\n--- the page says ---\n{self.block.expected}"


def matches(expected: str, output: str) -> bool:
    """Return whether an output is what a page says: `...` stands for any text or none, and any space is like another.

    As doctest's ELLIPSIS, but the space beside the dots is part of what they stand for: a line of dots may be no line.
    """
    first, *others = [" ".join(piece.split()) for piece in expected.split("...")]
    rest = " ".join(output.split())
    if not others:
        return rest == first
    if not rest.startswith(first):
        return False
    rest = rest[len(first) :]
    for piece in others[:-1]:
        _, found, rest = rest.partition(piece) if piece else ("", "any", rest)
        if not found:
            return False
    return rest.endswith(others[-1])


def run_blocks(
    blocks: Sequence[Block], folder: Path, environment: Mapping[str, str], scripts: Path, seconds: float
) -> list[Outcome]:
    """Run the blocks in `folder`, in one bash: what one sets, later ones have. The first that fails ends it.

    Args:
        environment: all variables of the bash.
        scripts: an empty folder for the blocks and their outputs.
        seconds: how long all of them may take; what they started is killed then.

    Returns:
        An outcome for each block that was begun.
    """
    lines = []
    for number, block in enumerate(blocks):
        (scripts / f"{number}.sh").write_text(f"{block.text}\n")
        lines.append(f". {scripts}/{number}.sh > {scripts}/{number}.out 2>&1 < /dev/null; : > {scripts}/{number}.ended")
    process = subprocess.Popen([*SHELL, "-c", "\n".join(lines)], cwd=folder, env=environment, start_new_session=True)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return [
        Outcome(block, out.read_text(errors="replace"), (scripts / f"{number}.ended").exists())
        for number, block in enumerate(blocks)
        if (out := scripts / f"{number}.out").exists()
    ]
