"""Logs: kept short, shown, followed."""

from pathlib import Path

from pappus.stack.folders import StateFolder
from pappus.stack.logs import follow, last_lines, trim
from pappus.stack.testing import keep_logs


def test_a_log_that_grew_too_large_keeps_its_end_in_whole_lines(tmp_path: Path) -> None:
    log = tmp_path / "it.log"
    log.write_text("".join(f"line {n}\n" for n in range(1000)))
    with log.open("a") as writer:
        trim(log, largest_bytes=5000, kept_bytes=100)
        writer.write("line 1000\n")
    lines = log.read_text().splitlines()
    assert len(log.read_bytes()) < 200
    assert lines[-2:] == ["line 999", "line 1000"]
    assert all(line.startswith("line ") for line in lines)


def test_a_short_log_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "it.log"
    log.write_text("all of it\n")
    trim(log)
    assert log.read_text() == "all of it\n"


def test_the_last_lines_are_the_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "it.log"
    log.write_text("".join(f"line {n}\n" for n in range(100)))
    assert last_lines(log, 2) == ["line 98", "line 99"]
    assert last_lines(log, 0) == []
    assert last_lines(tmp_path / "none.log", 5) == []


def test_following_gives_whole_new_lines_of_every_log_also_after_a_trim(tmp_path: Path) -> None:
    one, two = tmp_path / "one.log", tmp_path / "two.log"
    one.write_text("old and long enough\n")
    steps = [(one, "new\n"), (two, "first\nhal"), (two, "")]

    def ended() -> bool:
        if not steps:
            return True
        log, text = steps.pop(0)
        log.write_text(text)
        return False

    assert list(follow({"one": one, "two": two}, ended)) == [("one", "new"), ("two", "first")]


def test_logs_of_test_servers_outlive_the_servers(state: StateFolder, tmp_path: Path) -> None:
    state.log("kafka").write_text("why it failed\n")
    keep_logs(state, tmp_path / "kept")
    keep_logs(state, tmp_path / "kept")
    assert [log.read_text() for log in (tmp_path / "kept").glob("stack-*/kafka.log")] == ["why it failed\n"] * 2


def test_without_a_folder_no_logs_are_copied(state: StateFolder, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    keep_logs(state, None)
    assert sorted(tmp_path.rglob("*")) == before
