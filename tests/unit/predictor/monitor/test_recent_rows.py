"""The newest rows of each partition, in a table that outlives the process."""

from typing import Any

import pytest

from services.predictor.monitor import recent_rows
from services.predictor.monitor.decisions.rows import AnswerRow
from services.predictor.monitor.recent_rows import RecentRows


@pytest.fixture(autouse=True)
def slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_rows, "SLOTS", 8)


def row(offset: int, partition: str = "0") -> AnswerRow:
    return {
        "partition": partition,
        "offset": offset,
        "event_id": str(offset),
        "at": float(offset),
        "version": "v1",
        "reference": "",
        "label": "grass",
        "confidence": 0.9,
        "sketch": [],
    }


def offsets(rows: RecentRows[AnswerRow], **seen: int) -> list[int]:
    return [each["offset"] for each in rows.after(seen)]


def test_the_newest_rows_are_kept_however_far_apart_their_offsets_are() -> None:
    rows: RecentRows[AnswerRow] = RecentRows({}, "plants")
    for number in range(20):
        assert rows.add(f"key {number}", row(number * 200))
        assert rows.add(f"other key {number}", row(number * 200, "1"))
    assert sorted(set(offsets(rows))) == [number * 200 for number in range(12, 20)]
    assert len(offsets(rows)) == 16


def test_a_key_that_is_kept_is_not_added_again() -> None:
    rows: RecentRows[AnswerRow] = RecentRows({}, "plants")
    for number in range(10):
        rows.add(f"key {number}", row(number))
    assert not rows.add("key 9", row(9))
    assert rows.add("key 0", row(0))


def test_after_a_restart_rows_go_on_where_they_were() -> None:
    table: dict[str, Any] = {}
    before: RecentRows[AnswerRow] = RecentRows(table, "plants")
    for number in range(10):
        before.add(f"key {number}", row(number))
    after: RecentRows[AnswerRow] = RecentRows(table, "plants")
    assert not after.add("key 9", row(9))
    assert after.add("key 10", row(10))
    assert offsets(after) == list(range(3, 11))


def test_rows_of_earlier_releases_are_overwritten_in_turn() -> None:
    table: dict[str, Any] = {
        f"plants/0/{offset % 8}": {"key": f"key {offset}", "row": row(offset)} for offset in range(100, 108)
    }
    rows: RecentRows[AnswerRow] = RecentRows(table, "plants")
    assert not rows.add("key 107", row(107))
    for offset in (108, 109):
        assert rows.add(f"key {offset}", row(offset))
    assert offsets(rows) == list(range(102, 110))
