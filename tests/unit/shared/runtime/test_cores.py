"""How many cores a process may use."""

from pathlib import Path

import pytest

from shared.runtime.cores import usable_cores


@pytest.mark.parametrize(("limit", "cores"), [("150000 100000\n", 2), ("100000 100000\n", 1), ("5000 100000\n", 1)])
def test_a_container_has_as_many_as_its_limit_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, cores: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)))
    (tmp_path / "cpu.max").write_text(limit)
    assert usable_cores(tmp_path / "cpu.max") == cores


@pytest.mark.parametrize("limit", [None, "max 100000\n", "3200000 100000\n", "nonsense"])
def test_without_a_smaller_limit_it_has_those_it_may_run_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str | None
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)))
    if limit is not None:
        (tmp_path / "cpu.max").write_text(limit)
    assert usable_cores(tmp_path / "cpu.max") == 16
