"""Settings of the ingestor."""

import pytest

from services.ingestor.settings import IngestorSettings
from shared.runtime.retry import delay
from shared.runtime.settings import InvalidSettings


def test_hosts_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPPUS_ALLOWED_HOSTS", '["127.0.0.1:29100", "images.internal"]')
    assert IngestorSettings().allowed_hosts == ("127.0.0.1:29100", "images.internal")


def test_an_allowed_host_that_is_a_url_is_refused_at_start() -> None:
    with pytest.raises(InvalidSettings, match="write host"):
        IngestorSettings(allowed_hosts=("http://images.internal",))


def test_announcements_are_as_many_as_the_settings_say() -> None:
    policy = IngestorSettings(max_attempts=3, first_retry_seconds=2).announcements
    assert [delay(policy, attempt) for attempt in (1, 2, 3)] == [2, 8, None]
