"""Each service needs no more than its own extra of pyproject.toml (deptry looks at all of them together)."""

import ast
import re
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from itertools import chain

import pytest

from tests.unit.house.tree import FOLDERS, ROOT, files

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {
    "services/ingestor": "ingestor",
    "services/labeler": "labeler",
    "services/predictor": "predictor",
    "services/trainer": "trainer",
    "pappus": "cli",
}


def declared(extra: str) -> set[str]:
    """Return the distributions that every process needs and those of one extra."""
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"][extra]]
    return {normalised(re.split(r"[\[>=<!~; ]", one, maxsplit=1)[0]) for one in wanted}


def normalised(name: str) -> str:
    """Return the name of a distribution as indexes write it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(folder: str) -> set[str]:
    """Return the names of the packages of others that the modules of a folder import."""
    nodes = list(chain.from_iterable(ast.walk(ast.parse(file.read_text())) for file in files(folder)))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    parts = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return {name.split(".")[0] for name in plain + parts} - sys.stdlib_module_names - set(FOLDERS)


@cache
def providers() -> Mapping[str, list[str]]:
    """Return the distributions that provide each importable name."""
    return packages_distributions()


@pytest.mark.parametrize("folder", EXTRAS)
def test_what_a_service_imports_is_in_its_extra(folder: str) -> None:
    known = declared(EXTRAS[folder])
    assert {name for name in imported(folder) if known.isdisjoint(map(normalised, providers()[name]))} == set()
