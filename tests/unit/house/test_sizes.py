"""Modules stay small, and test names stay readable."""

import ast
from pathlib import Path
from statistics import median

from tests.unit.house.tree import FOLDERS, PACKAGES, ROOT, files, line_count

LONGEST_NAME = 70


def test_no_module_has_more_than_400_lines() -> None:
    assert {file.relative_to(ROOT): lines for file in files(*FOLDERS) if (lines := line_count(file)) > 400} == {}


def test_the_median_module_has_less_than_100_lines() -> None:
    assert median(line_count(file) for file in files(*PACKAGES) if file.name != "__init__.py") < 100


def test_every_main_module_has_less_than_60_lines() -> None:
    mains = [file for file in files(*PACKAGES) if file.name == "__main__.py"]
    assert mains
    assert {file.relative_to(ROOT): lines for file in mains if (lines := line_count(file)) >= 60} == {}


def names_of_tests(file: Path) -> list[str]:
    """Return the names of the test functions in a file."""
    nodes = ast.walk(ast.parse(file.read_text()))
    functions = [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [name for name in functions if name.startswith("test_")]


def test_no_test_name_is_longer_than_70_characters() -> None:
    names = [name for file in files("tests") for name in names_of_tests(file)]
    assert names
    assert [name for name in names if len(name) > LONGEST_NAME] == []
