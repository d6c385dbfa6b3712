"""What a process is called."""

import pytest

from shared.runtime.settings import Settings


def test_a_process_with_defaults_has_no_name_in_its_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAPPUS_REPLICA", raising=False)
    settings = Settings()
    assert (settings.replica, settings.in_groups["member"]) == ("local", None)


def test_a_name_that_was_set_counts_even_if_it_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPPUS_REPLICA", "local")
    assert Settings().in_groups["member"] == "local"
