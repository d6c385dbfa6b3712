"""When an image is announced."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingestor.decisions.outcomes import rejected_id
from services.ingestor.decisions.registrations import NewRow, RetryableRow, first_registration, next_registration
from shared.contract.events import uuid_of
from shared.runtime.retry import RetryPolicy

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
URL = "http://example.org/a.jpg"
POLICY = RetryPolicy(first_seconds=5, factor=4, longest_seconds=600, attempts=5)


def retryable(attempt: int, upload_key: str | None = None) -> RetryableRow:
    return RetryableRow(
        image_id=UUID(int=7),
        url=None if upload_key else URL,
        upload_key=upload_key,
        label="grass",
        trust="seed",
        registered_by="ann",
        rejected_attempt=attempt,
        rejected_at=NOON,
    )


def test_the_same_row_gives_the_same_event() -> None:
    row = NewRow(URL, "grass", "seeder", NOON)
    assert first_registration(row) == first_registration(row)
    assert first_registration(row).image_id == uuid_of("image", URL)


@pytest.mark.parametrize(("label", "trust"), [("grass", "seed"), (None, "claimed")])
def test_a_row_with_a_label_is_believed_as_seed(label: str | None, trust: str) -> None:
    event = first_registration(NewRow(URL, label, "seeder", NOON))
    assert (event.label, event.trust, event.registered_by, event.attempt) == (label, trust, "seeder", 1)


@pytest.mark.parametrize("typed", ["Lo\u0308wenzahn", "L\u00f6wenzahn ", "\tLo\u0308wenzahn\n"])
def test_a_label_is_the_same_in_every_form_of_unicode(typed: str) -> None:
    assert first_registration(NewRow(URL, typed, "seeder", NOON)).label == "L\u00f6wenzahn"


def test_a_blank_label_is_none() -> None:
    event = first_registration(NewRow(URL, "  ", "seeder", NOON))
    assert (event.label, event.trust) == (None, "claimed")


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 5), (2, 20), (3, 80), (4, 320)])
def test_the_next_attempt_waits_longer_each_time(attempt: int, seconds: int) -> None:
    due = NOON + timedelta(seconds=seconds)
    assert next_registration(retryable(attempt), POLICY, due - timedelta(milliseconds=1)) is None
    event = next_registration(retryable(attempt), POLICY, due)
    assert event is not None
    assert (event.attempt, event.occurred_at, event.url, event.trust) == (attempt + 1, due, URL, "seed")
    assert event.causes == (rejected_id(UUID(int=7), attempt),)


def test_after_the_last_attempt_nothing_is_announced() -> None:
    assert next_registration(retryable(5), POLICY, NOON + timedelta(days=365)) is None


def test_an_upload_is_announced_again_as_an_upload() -> None:
    event = next_registration(retryable(1, "uploads/aa/aa"), POLICY, NOON + timedelta(hours=1))
    assert event is not None
    assert (event.url, event.upload_key) == (None, "uploads/aa/aa")


@given(st.integers(1, 4), st.integers(0, 10**6), st.integers(0, 10**6))
def test_however_late_it_is_noticed_the_event_is_the_same(attempt: int, early: int, late: int) -> None:
    due = NOON + timedelta(seconds=320)
    first = next_registration(retryable(attempt), POLICY, due + timedelta(seconds=early))
    assert first == next_registration(retryable(attempt), POLICY, due + timedelta(seconds=late))
