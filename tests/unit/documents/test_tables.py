"""The tables that promise a test for each row: each row has one, or says plainly what is missing."""

import re

import pytest

from tests.documents import named
from tests.documents.markdown import DOCS, rows, sections
from tests.unit.documents.test_names import TEST

PROMISING = ("older-projects.md", "security.md")
TABLES = [
    (page, heading, list(rows(text)))
    for page in PROMISING
    for heading, text in sections((DOCS / page).read_text()).items()
    if "| test |" in text
]
MISSING = re.compile(r"not yet(?: [a-z]+)?: \S+")
METRICS = re.compile(r"`((?:pappus|mlops|request|streamlit|predict_button)_[a-z_]+)`")


@pytest.mark.parametrize(("page", "heading", "table"), TABLES, ids=[f"{page}-{name}" for page, name, _ in TABLES])
def test_a_row_has_tests_that_exist_or_says_what_is_missing(page: str, heading: str, table: list[list[str]]) -> None:
    assert table
    for cells in table:
        assert len(cells) == 3, cells
        found = TEST.findall(cells[2])
        assert set(found) <= named.tests(), cells
        assert bool(found) != bool(MISSING.match(cells[2])), f"A row needs a test, or 'not yet: what it takes': {cells}"


def test_what_pappus_is_said_to_count_is_counted() -> None:
    named_here = {name for page, _, table in TABLES for cells in table for name in METRICS.findall(cells[1])}
    assert len(named_here) > 5
    assert named_here - named.metrics() == set()
