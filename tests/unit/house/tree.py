"""The Python files of this checkout."""

from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGES = ("pappus", "services", "shared")
FOLDERS = (*PACKAGES, "tests", "bench")


def files(*folders: str) -> list[Path]:
    """Return every Python file below these folders of the checkout, in order."""
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def line_count(file: Path) -> int:
    """Return the number of lines."""
    return len(file.read_text().splitlines())
