"""What lies in the state folder: configuration, passwords, status."""

import json
import os
import stat
from pathlib import Path

import pytest

from pappus.stack.config import StackConfig
from pappus.stack.credentials import Credentials
from pappus.stack.desired_state import DesiredState
from pappus.stack.errors import StackError
from pappus.stack.folders import StateFolder
from pappus.stack.identity import Identity
from pappus.stack.ownership import claim
from pappus.stack.status import ComponentState, ComponentStatus, StackStatus, read_status


def test_passwords_are_made_once_and_are_for_their_owner_alone(state: StateFolder) -> None:
    first = Credentials.load_or_create(state)
    assert Credentials.load_or_create(state) == first
    assert stat.S_IMODE(state.credentials.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.users.stat().st_mode) == 0o600


def test_users_that_came_later_get_passwords_too(state: StateFolder) -> None:
    first = Credentials.load_or_create(state)
    s3 = {name: key for name, key in first.s3.items() if name != "predictor-api"}
    postgres = {name: password for name, password in first.postgres.items() if name != "predictor_api"}
    earlier = first.model_copy(update={"s3": s3, "postgres": postgres})
    state.credentials.write_text(earlier.model_dump_json())
    now = Credentials.load_or_create(state)
    assert now.s3.keys() == first.s3.keys()
    assert now.s3["predictor"] == first.s3["predictor"]
    assert now.postgres.keys() == first.postgres.keys()
    assert now.postgres["predictor"] == first.postgres["predictor"]
    assert Credentials.load_or_create(state) == now
    assert stat.S_IMODE(state.credentials.stat().st_mode) == 0o600


def test_damaged_credentials_are_named_and_not_shown(state: StateFolder) -> None:
    state.credentials.write_text('{"session_secret": "hidden", "postgres": 1')
    with pytest.raises(StackError, match=r"credentials\.json is not a credentials\.json that Pappus wrote") as refused:
        Credentials.load_or_create(state)
    assert "hidden" not in str(refused.value)


def test_folders_that_others_could_read_are_closed_at_the_next_start(state: StateFolder) -> None:
    for name in ("s3", "drawn"):
        (state.root / name).mkdir(mode=0o755)
    claim(state)
    assert {stat.S_IMODE((state.root / name).stat().st_mode) for name in ("s3", "drawn")} == {0o700}


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


def test_two_requests_for_the_same_components_have_different_ids(state: StateFolder) -> None:
    first = DesiredState().with_selected(["kafka"], ["kafka"])
    second = first.with_selected(["kafka"], ["kafka"])
    second.save(state)
    assert first.request != second.request
    assert DesiredState.load(state) == second
    assert second.selected == ["kafka"]


def test_without_a_file_nothing_is_requested(state: StateFolder) -> None:
    assert DesiredState.load(state).selected == []


def test_a_restart_and_a_start_end_a_stop() -> None:
    stopped = DesiredState(selected=["services"]).with_stopped(["a", "b"])
    assert stopped.stopped == ["a", "b"]
    assert stopped.with_restart(["a"]).stopped == ["b"]
    assert stopped.with_restart(["a"]).restart == ["a"]
    assert stopped.with_selected(["b"], ["b", "c"]).stopped == ["a"]


def test_a_stop_ends_a_pending_restart() -> None:
    assert DesiredState(restart=["a", "b"]).with_stopped(["a"]).restart == ["b"]


def test_requests_that_follow_each_other_join() -> None:
    desired = DesiredState().with_selected(["kafka"], []).with_selected(["s3"], []).with_restart(["kafka"])
    assert (desired.selected, desired.with_restart(["s3"]).restart) == (["kafka", "s3"], ["kafka", "s3"])


def test_a_folder_with_other_things_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(StackError, match=r"thesis\.tex"):
        claim(StateFolder.at(tmp_path))


def test_a_state_folder_may_hold_more_once_it_is_one(state: StateFolder) -> None:
    Credentials.load_or_create(state)
    (state.root / "drawn").mkdir()
    claim(state)


def test_a_stack_that_never_ran_has_no_components_and_is_not_ready(state: StateFolder) -> None:
    status = read_status(state)
    assert (status.components, status.running, status.ready) == ([], False, False)


def test_a_broken_status_file_is_named(state: StateFolder) -> None:
    state.status.write_text('{"parts": 3}')
    with pytest.raises(StackError, match=str(state.status)):
        read_status(state)


def component(name: str, state: ComponentState, **ports: int) -> ComponentStatus:
    return ComponentStatus(name=name, group="tests", state=state, address=f"http://127.0.0.1:{name}", ports=ports)


def test_a_stack_is_ready_when_supervisor_and_components_are() -> None:
    status = StackStatus(state="", credentials="", users="", components=[component("a", ComponentState.READY)])
    assert not status.ready
    status.supervisor = Identity.of(os.getpid())
    assert status.ready
    status.components.append(component("b", ComponentState.STARTING))
    assert not status.ready


def test_the_report_for_programs_has_addresses_and_shared_ports() -> None:
    replicas = [
        component("1", ComponentState.READY, **{"predictor": 28000, "predictor-grpc": 28001}),
        component("2", ComponentState.READY, **{"predictor": 28000, "predictor-grpc": 28001, "own": 28011}),
    ]
    report = json.loads(StackStatus(state="s", credentials="c", users="u", components=replicas).report())
    assert report["addresses"] == {
        "predictor": "http://127.0.0.1:28000",
        "predictor-grpc": "127.0.0.1:28001",
        "1": "http://127.0.0.1:1",
        "2": "http://127.0.0.1:2",
    }
    assert (report["running"], report["ready"], report["credentials"]) == (False, False, "c")


def test_a_state_that_stays_keeps_its_time() -> None:
    one = component("a", ComponentState.WAITING)
    one.enter(ComponentState.STARTING)
    since = one.since
    one.enter(ComponentState.STARTING, "still")
    assert (one.since, one.detail) == (since, "still")


def test_a_stopped_component_keeps_no_stack_from_being_ready() -> None:
    stopped = component("a", ComponentState.STOPPED)
    status = StackStatus(state="", credentials="", users="", components=[stopped, component("b", ComponentState.READY)])
    status.supervisor = Identity.of(os.getpid())
    assert not status.ready
    stopped.stopped_on_request = True
    assert status.ready


def test_components_are_found_by_name_and_by_group() -> None:
    status = StackStatus(
        state="", credentials="", users="", components=[component(name, ComponentState.READY) for name in "abc"]
    )
    assert [found.name for found in status.matching(["c", "a"])] == ["a", "c"]
    assert len(status.matching(["tests"])) == 3
    with pytest.raises(StackError, match=r"no x in this stack\. It has: a, b, c"):
        status.matching(["a", "x"])


def test_the_status_of_an_earlier_version_is_read(state: StateFolder) -> None:
    old = {"state": "s", "credentials": "c", "users": "u"}
    old_component = {"name": "a", "group": "servers", "state": "resting"}
    state.status.write_text(json.dumps(old | {"parts": [old_component]}))
    assert read_status(state).component("a").state is ComponentState.BACKOFF
