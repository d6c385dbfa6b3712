"""Each state that can be red has its row in the runbook, with what it means and what to do."""

import re

import pytest

from pappus.stack.status import ComponentState
from tests.documents import red_states
from tests.documents.markdown import DOCS, rows, sections

RUNBOOK = (DOCS / "runbook.md").read_text()
SECTIONS = sections(RUNBOOK)
WHOLE = " ".join(RUNBOOK.split())


def first_cells(section: str) -> set[str]:
    """Return what is marked as code in the first column of a section's table."""
    return {code for cells in rows(SECTIONS[section]) for code in re.findall(r"`([^`]+)`", cells[0])}


def test_each_part_that_can_be_red_has_a_row() -> None:
    parts = red_states.parts()
    assert len(parts) > 20
    assert parts - first_cells("Parts of a process") == set()


def test_the_runbook_names_no_part_that_is_gone() -> None:
    assert first_cells("Parts of a process") - red_states.parts() == set()


def test_each_part_that_may_end_is_named() -> None:
    named = set(re.findall(r"`([^`]+)`", SECTIONS["Parts of a process"].partition("**ended**")[2]))
    assert red_states.ended_parts() - named == set()


def test_a_part_whose_name_is_told_is_reported_in_known_modules_alone() -> None:
    told = {module for module, part, _ in red_states.reported() if part == red_states.UNKNOWN}
    assert told == red_states.REPORTED_BY, "Say in NAMED_BY_CALLER who names the part, or give it a constant name."


@pytest.mark.parametrize("detail", sorted(red_states.details()))
def test_what_a_part_says_is_in_the_runbook(detail: str) -> None:
    assert detail in WHOLE


def test_each_state_of_a_component_but_ready_has_a_row() -> None:
    assert first_cells("States of components") == {state.value for state in ComponentState} - {"ready"}


def test_each_check_of_the_doctor_has_a_row() -> None:
    assert first_cells("Checks of the doctor") == red_states.doctors_checks()


def test_each_container_and_pod_that_is_asked_has_a_row() -> None:
    assert red_states.container_checks() - first_cells("Containers") == set()
    assert red_states.cluster_checks() - first_cells("Cluster") == set()


@pytest.mark.parametrize("section", [name for name in SECTIONS if list(rows(SECTIONS[name]))])
def test_each_row_says_what_it_means_and_what_to_do(section: str) -> None:
    for cells in rows(SECTIONS[section]):
        assert len(cells) >= 3
        assert all(cells), f"An empty cell beside {cells[0]}"
