"""Which artefacts may be deleted: those that nothing names, and nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.full_lane.decisions.unneeded import (
    KnownModel,
    StoredArtefact,
    SweepRules,
    judge_artefacts,
    version_of,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
RULES = SweepRules(newest=2, least_age=timedelta(hours=24))


def fast(number: int, parent: str | None = "full-1", **changes: Any) -> KnownModel:
    """A candidate of the fast lane, the older the lower its number."""
    trained_at = NOW - timedelta(days=100 - number)
    values = {"version": f"fast-{number}", "lane": "fast", "parent": parent, "trained_at": trained_at}
    return KnownModel(**{**values, **changes})


def full(number: int, **changes: Any) -> KnownModel:
    return replace(fast(number, None), version=f"full-{number}", lane="full", **changes)


def reasons(
    *models: KnownModel, days: int = 50, chosen: dict[str, str] | None = None, more: tuple[str, ...] = ()
) -> dict[str, str | None]:
    """Return for each version why its object stays, None if it goes; each was put `days` ago."""
    stored = [StoredArtefact(f"models/{one.version}/abc.onnx", NOW - timedelta(days=days)) for one in models]
    stored += [StoredArtefact(key, NOW - timedelta(days=days)) for key in more]
    judged = judge_artefacts(stored, models, chosen or {}, RULES, NOW)
    assert [one.key for one in judged] == [one.key for one in stored]
    return {version_of(one.key) or one.key: None if one.goes else one.reason for one in judged}


def test_of_candidates_that_never_served_only_the_newest_of_each_lane_stay() -> None:
    found = reasons(*(fast(n, judged=True) for n in range(1, 6)), *(full(n, judged=True) for n in (1, 2)))
    assert [version for version, reason in found.items() if reason is None] == ["fast-1", "fast-2", "fast-3"]
    assert found["fast-5"] == "one of the newest of the fast lane"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"served": True, "judged": True}, "served, so one may roll back to it"),
        ({}, "awaits its verdict"),
        ({"judged": True, "approvable": True}, "may be approved"),
    ],
)
def test_what_may_still_serve_stays(changes: dict[str, bool], reason: str) -> None:
    newer = [full(n, judged=True) for n in range(2, 9)]
    assert reasons(full(1, **changes), *newer)["full-1"] == reason


def test_champion_and_anchor_stay_whatever_their_rows_say() -> None:
    newer = [full(n, judged=True) for n in range(3, 9)]
    found = reasons(
        full(1, judged=True), full(2, judged=True), *newer, chosen={"full-1": "serves", "full-2": "the anchor"}
    )
    assert (found["full-1"], found["full-2"]) == ("serves", "the anchor")


def test_what_a_kept_layer_was_made_on_stays_down_to_the_full_model() -> None:
    newer = [full(n, judged=True) for n in range(5, 9)]
    line = [full(1, judged=True), fast(2, "full-1", judged=True), fast(3, "fast-2", judged=True), fast(4, "fast-3")]
    others = [fast(n, "full-8", judged=True) for n in (20, 21)]
    found = reasons(*line, *newer, *others)
    assert [found[one.version] for one in line[:3]] == ["a kept layer was made on it"] * 3


def test_nothing_younger_than_a_day_goes() -> None:
    models = [fast(n, judged=True) for n in range(1, 6)]
    assert reasons(*models, days=0)["fast-1"] == "too young"
    assert reasons(*models, days=2)["fast-1"] is None


def test_an_object_without_event_goes_unless_its_log_is_gone() -> None:
    more = ("models/fast-unknown/abc.onnx",)
    assert reasons(fast(1, judged=True), days=50, more=more)["fast-unknown"] is None
    assert reasons(fast(1, judged=True), days=150, more=more)["fast-unknown"] == "older than all that the log knows"
    assert reasons(days=50, more=more)["fast-unknown"] == "older than all that the log knows"


@pytest.mark.parametrize("key", ["models/notes.txt", "models//abc.onnx", "models/a/b/c.onnx", "images/a/b"])
def test_what_is_no_artefact_stays(key: str) -> None:
    assert reasons(fast(1), days=50, more=(key,))[key] == "not the key of an artefact"


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 30)), max_size=30), st.integers(1, 5))
def test_what_serves_stands_on_what_is_kept_in_any_history(rows: list[tuple[bool, bool, int]], newest: int) -> None:
    models: list[KnownModel] = []
    for number, (served, is_full, parent) in enumerate(rows):
        before = models[parent % number] if number else None
        if is_full or before is None:
            models.append(full(number, judged=not served, served=served))
        else:
            models.append(fast(number, before.version, judged=not served, served=served))
    stored = [StoredArtefact(f"models/{one.version}/abc.onnx", NOW - timedelta(days=50)) for one in models]
    judged = judge_artefacts(stored, models, {}, replace(RULES, newest=newest), NOW)
    kept = {version_of(one.key) for one in judged if not one.goes}
    by_version = {one.version: one for one in models}
    for version in kept:
        one = by_version[str(version)]
        assert one.lane == "full" or one.parent in kept
    assert {one.version for one in models if one.served} <= kept
    assert len(kept) >= min(newest, len(models))
