"""What lies in the state folder: configuration, passwords, status."""

import json
import os
import stat
from pathlib import Path

import pytest

from pappus.stack.config import StackConfig
from pappus.stack.credentials import Credentials
from pappus.stack.errors import StackError
from pappus.stack.folders import StateFolder
from pappus.stack.identity import Identity
from pappus.stack.ownership import claim
from pappus.stack.status import PartState, PartStatus, StackStatus, read_status
from pappus.stack.wanted import Wanted


def test_passwords_are_made_once_and_are_for_their_owner_alone(state: StateFolder) -> None:
    first = Credentials.load_or_create(state)
    assert Credentials.load_or_create(state) == first
    assert stat.S_IMODE(state.credentials.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.users.stat().st_mode) == 0o600


def test_no_two_passwords_are_alike(tmp_path: Path, state: StateFolder) -> None:
    other = StateFolder.at(tmp_path / "other")
    claim(other)
    both = [Credentials.load_or_create(folder) for folder in (state, other)]
    every = [password for one in both for password in one.postgres.values()]
    every += [key.secret_key for one in both for key in one.s3.values()]
    assert len(set(every)) == len(every)
    assert min(map(len, every)) >= 24


def test_a_config_with_a_typing_error_is_refused_by_its_path(state: StateFolder) -> None:
    state.config.write_text('{"prots": {}}')
    with pytest.raises(StackError, match=str(state.config)):
        StackConfig.load(state)


def test_without_a_config_everything_is_default(state: StateFolder) -> None:
    assert StackConfig.load(state) == StackConfig(ports={}, allowed_hosts=[])


def test_two_requests_for_the_same_are_told_apart(state: StateFolder) -> None:
    first, second = Wanted.save(state, ["kafka"]), Wanted.save(state, ["kafka", "kafka"])
    assert first != second
    assert Wanted.load(state).words == ["kafka"]


def test_a_folder_with_other_things_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(StackError, match=r"thesis\.tex"):
        claim(StateFolder.at(tmp_path))


def test_a_state_folder_may_hold_more_once_it_is_one(state: StateFolder) -> None:
    Credentials.load_or_create(state)
    (state.root / "drawn").mkdir()
    claim(state)


def test_a_stack_that_never_ran_has_no_parts_and_is_not_ready(state: StateFolder) -> None:
    status = read_status(state)
    assert (status.parts, status.running, status.ready) == ([], False, False)


def test_a_broken_status_file_is_named(state: StateFolder) -> None:
    state.status.write_text('{"parts": 3}')
    with pytest.raises(StackError, match=str(state.status)):
        read_status(state)


def part(name: str, state: PartState, **ports: int) -> PartStatus:
    return PartStatus(name=name, group="tests", state=state, address=f"http://127.0.0.1:{name}", ports=ports)


def test_a_stack_is_ready_when_its_supervisor_lives_and_every_part_is() -> None:
    status = StackStatus(state="", credentials="", users="", parts=[part("a", PartState.READY)])
    assert not status.ready
    status.supervisor = Identity.of(os.getpid())
    assert status.ready
    status.parts.append(part("b", PartState.STARTING))
    assert not status.ready


def test_the_report_for_programs_has_addresses_and_shared_ports() -> None:
    replicas = [part("1", PartState.READY, predictor=28000), part("2", PartState.READY, predictor=28000, own=28011)]
    report = json.loads(StackStatus(state="s", credentials="c", users="u", parts=replicas).report())
    assert report["addresses"] == {
        "predictor": "http://127.0.0.1:28000",
        "1": "http://127.0.0.1:1",
        "2": "http://127.0.0.1:2",
    }
    assert (report["running"], report["ready"], report["credentials"]) == (False, False, "c")


def test_a_state_that_stays_keeps_its_time() -> None:
    one = part("a", PartState.WAITING)
    one.enter(PartState.STARTING)
    since = one.since
    one.enter(PartState.STARTING, "still")
    assert (one.since, one.detail) == (since, "still")
