"""What the pages tell people to type exists, and of each block of commands it is said whether a test runs it."""

import pytest

from tests.documents.pages import SHELLS, all_pages, begins_with_program, blocks_of, spans_of
from tests.documents.plan import NOT_RUN, RUN_PAGES, blocks_to_run, unclear, undecided
from tests.documents.usages import errors_in_script, errors_in_usage


def test_every_block_of_commands_is_run_or_has_a_reason() -> None:
    assert undecided() == []


def test_every_entry_of_the_plan_names_one_block() -> None:
    assert unclear() == []


def test_every_reason_is_a_sentence() -> None:
    reasons = [reason for entries in NOT_RUN.values() for reason in entries.values()]
    assert [reason for reason in reasons if not reason.endswith(".") or len(reason.split()) < 3] == []


@pytest.mark.parametrize("page", RUN_PAGES)
def test_a_page_that_is_run_has_something_to_run(page: str) -> None:
    assert blocks_to_run(page)


@pytest.mark.parametrize("page", all_pages())
def test_every_command_of_a_page_exists(page: str) -> None:
    found = [error for span in spans_of(page) for error in errors_in_usage(span)]
    for block in blocks_of(page):
        if block.language in SHELLS:
            found += errors_in_script(block.text)
        elif block.is_commands:
            found += [error for line in block.text.splitlines() for error in errors_in_usage(line)]
    assert found == []


@pytest.mark.parametrize("page", all_pages())
def test_no_block_that_is_called_another_thing_hides_commands(page: str) -> None:
    others = [block for block in blocks_of(page) if not block.is_commands]
    assert [block.line for block in others if any(map(begins_with_program, block.text.splitlines()))] == []
