"""The parts of the Kafka measurement that need no broker."""

from pathlib import Path

import pytest

from bench.kafka_pitfalls.broker import Installation
from bench.kafka_pitfalls.rows import format_durations, format_percentiles


def installation(folder: Path, *jars: str) -> Installation:
    for jar in jars:
        (folder / jar).touch()
    return Installation(folder, "java", folder)


def test_the_version_is_that_of_the_client_jar(tmp_path: Path) -> None:
    assert installation(tmp_path, "kafka-clients-4.3.1.jar", "kafka_2.13-4.3.1.jar").version == "4.3.1"


@pytest.mark.parametrize("jars", [(), ("kafka-clients-3.9.1.jar", "kafka-clients-4.3.1.jar")])
def test_none_or_two_versions_of_the_clients_are_refused(tmp_path: Path, jars: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit, match="must hold one kafka-clients jar"):
        _ = installation(tmp_path, *jars).version


def test_durations_show_median_range_and_n() -> None:
    assert format_durations([1.0, 9.0, 2.0]) == "2.00 s (1.00 to 9.00, n = 3)"


def test_one_duration_is_no_median() -> None:
    assert format_durations([1.5]) == "1.50 s (n = 1)"


def test_latencies_show_percentiles_in_milliseconds() -> None:
    assert format_percentiles([number / 1000 for number in range(1, 100)]) == "p50 50.0 ms, p95 95.0 ms (n = 99)"
