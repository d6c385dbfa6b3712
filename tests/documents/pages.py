"""The Markdown pages of this project, and the fenced blocks in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAMS = frozenset(
    ("pappus", "make", "python", "docker", "kubectl", "kcat", "curl", "psql", "git", "export", ".venv/bin/python")
)
"""What a command line begins with: a block with such a line is one that people type."""

SHELLS = ("bash", "sh", "shell", "console")
"""Languages of blocks that people type into a shell."""

_FENCE = re.compile(r"^(?P<marks>`{3,})\s*(?P<language>[\w-]*)[^`]*$")
_SPAN = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")
_ASSIGNMENT = re.compile(r"^\w+=\S*\s+")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its page (a path in the project), the number of its first line, the language behind the fence
    ("" if there is none), its text. `expected`: the block of text that follows it at once, which is what it prints."""

    page: str
    line: int
    language: str
    text: str
    expected: str | None = None

    @property
    def is_commands(self) -> bool:
        """Whether people type this: it says so, or it says nothing and a line begins with a program."""
        return self.language in SHELLS or (not self.language and any(map(begins_with_program, self.text.splitlines())))


def begins_with_program(line: str) -> bool:
    """Return whether a line begins with one of PROGRAMS, after variables that are set for it and an opening bracket."""
    rest = line.strip().lstrip("(").removeprefix("$ ")
    while match := _ASSIGNMENT.match(rest):
        rest = rest[match.end() :]
    return rest.split(" ", 1)[0] in PROGRAMS


def all_pages() -> list[str]:
    """Return every page that people read about this version, as paths in the project. CHANGELOG.md tells of others."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("services/**/*.md")]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def read_page(page: str) -> str:
    """Return the text of a page."""
    return (ROOT / page).read_text()


def blocks_of(page: str) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    return blocks_in(page, read_page(page))


def blocks_in(page: str, markdown: str) -> list[Block]:
    """Return the fenced blocks of a text, in order. A block of `text` that follows one of commands, with nothing but
    space between them, is what this one prints, and no block of its own."""
    found: list[Block] = []
    end = -1
    for line, last, language, text in _fences(markdown.splitlines()):
        follows = found and not any(each.strip() for each in markdown.splitlines()[end : line - 2])
        if language == "text" and follows and found[-1].language in SHELLS and found[-1].expected is None:
            before = found[-1]
            found[-1] = Block(before.page, before.line, before.language, before.text, expected=text)
        else:
            found.append(Block(page, line, language, text))
        end = last
    return found


def spans_of(page: str) -> list[str]:
    """Return what stands between single backquotes in the prose of a page, in one line; a bar that a table escapes is a
    bar."""
    lines = read_page(page).splitlines()
    fenced = {number for first, last, *_ in _fences(lines) for number in range(first - 1, last + 1)}
    prose = "\n".join(line for number, line in enumerate(lines, 1) if number not in fenced)
    return [" ".join(span.replace("\\|", "|").split("\n")) for span in _SPAN.findall(prose)]


def _fences(lines: list[str]) -> Iterator[tuple[int, int, str, str]]:
    """Yield of each fenced block the number of its first line, that of the fence that ends it, language and text.

    Raises:
        ValueError: a fence is not closed.
    """
    number = 0
    while number < len(lines):
        opened = _FENCE.match(lines[number])
        number += 1
        if opened is None:
            continue
        first = number
        while number < len(lines) and lines[number].rstrip() != opened["marks"]:
            number += 1
        if number == len(lines):
            raise ValueError(f"The fence in line {first} is not closed.")
        yield first + 1, number + 1, opened["language"], "\n".join(lines[first:number])
        number += 1
