"""The end: `pappus down`."""

from .demo_run import Told, left_of


def test_down_stops_everything_and_leaves_no_process(told: Told) -> None:
    ended = told.pappus("down")
    assert ended.returncode == 0, ended.stderr
    assert "Stopped." in ended.stdout
    assert left_of(told.stack) == []
    assert told.pappus("status").returncode == 3
