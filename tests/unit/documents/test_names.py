"""What the pages name exists: tests, settings, benchmarks, metrics and routes."""

import re
from pathlib import Path

import pytest

from tests.documents import named
from tests.documents.markdown import ROOT, pages

EXPANDED = re.compile(r"PAPPUS_[A-Z0-9_]*[A-Z0-9]\b(?![<…*])")
TEST = re.compile(r"tests/[\w/]+\.py::\w+")
BENCHMARK = re.compile(r"\bbench\.([a-z_]+)")
METRIC = re.compile(r"\bpappus_[a-z_]+_(?:total|seconds|events|ratio|info|requests|corrections|number|healthy)\b")
ROUTE = re.compile(r"`((?:GET|POST|PUT|DELETE) /[^`\s]*)`")


def relative(file: Path) -> str:
    return str(file.relative_to(ROOT))


def text_of(page: Path) -> str:
    """Return a page without what only other projects have."""
    text = page.read_text()
    if page.name == "older-projects.md":  # the first column is theirs
        return re.sub(r"^\|(?:[^|\\]|\\.)*\|", "|", text, flags=re.MULTILINE)
    return text


@pytest.mark.parametrize("page", [page for page in pages() if page.name != "CHANGELOG.md"], ids=relative)
def test_every_test_setting_benchmark_metric_and_route_exists(page: Path) -> None:
    text = text_of(page)
    assert set(TEST.findall(text)) - named.tests() == set()
    assert set(EXPANDED.findall(text)) - named.settings() == set()
    assert [name for name in BENCHMARK.findall(text) if not named.benchmark_exists(name)] == []
    assert set(METRIC.findall(text)) - named.metrics() == set()
    assert {found for found in map(named.route, ROUTE.findall(text)) if found not in named.routes()} == set()


def test_enough_is_named_for_this_to_mean_something() -> None:
    text = "\n".join(map(text_of, pages()))
    for pattern, least in ((TEST, 100), (EXPANDED, 60), (BENCHMARK, 10), (METRIC, 20), (ROUTE, 20)):
        assert len(set(pattern.findall(text))) > least, pattern.pattern
