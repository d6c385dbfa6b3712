"""What stands in the pages: tables and blocks of code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the word after that (empty if there is none), and its text."""

    language: str
    word: str
    text: str


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a text, in order."""
    return [Block(match[1], match[2] or "", match[3]) for match in _BLOCK.finditer(text)]


def sections(text: str) -> dict[str, str]:
    """Return what stands under each `##`, by its heading."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of each row of each table, without the heads."""
    lines = _BLOCK.sub("", text).splitlines()
    heads = {number for number, line in enumerate(lines[1:]) if re.fullmatch(r"\|(?:-+\|)+", line.replace(" ", ""))}
    for number, line in enumerate(lines):
        if line.startswith("|") and number not in heads and number - 1 not in heads:
            yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def pages() -> list[Path]:
    """Return every page for people: those of docs/ and of the services, and those at the top."""
    return sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("services/*/README.md")])
