"""Ports: chosen by the person, checked before the start."""

import os
import socket
import subprocess
import sys

import pytest

from pappus.stack import ports
from pappus.stack.errors import StackError
from pappus.stack.ports import DEFAULT_PORTS, HOST, busy_port, free_ports, is_free, resolve_ports
from pappus.stack.settings import port_overrides


def test_environment_wins_over_config_and_config_over_default() -> None:
    found = resolve_ports({"kafka": 1001, "s3": 1002}, {"s3": "1003"})
    assert (found["kafka"], found["s3"], found["mlflow"]) == (1001, 1003, DEFAULT_PORTS["mlflow"])


def test_a_variable_names_the_port_in_capitals() -> None:
    assert port_overrides({"PAPPUS_PORT_LABELER_API": "1234", "PAPPUS_STATE": "x"}) == {"labeler-api": "1234"}


def test_default_ports_differ() -> None:
    assert len(set(DEFAULT_PORTS.values())) == len(DEFAULT_PORTS)


@pytest.mark.parametrize("wrong", ["0", "65536", "-1", "many", ""])
def test_a_number_that_is_no_port_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(StackError, match="port of mlflow"):
        resolve_ports({}, {"mlflow": wrong})


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(StackError, match=r"no port called 'kafak'.*kafka"):
        resolve_ports({}, {"kafak": "1000"})


def test_a_taken_port_is_reported_with_its_holder_and_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        text = busy_port("labeler-ui", port)
    assert text is not None
    assert f"Port {port} (labeler-ui) is taken by process {os.getpid()}" in text
    assert "PAPPUS_PORT_LABELER_UI=" in text


def test_a_free_port_has_nothing_to_report() -> None:
    (port,) = free_ports(["kafka"]).values()
    assert busy_port("kafka", port) is None


def test_free_ports_are_free_and_differ() -> None:
    found = free_ports(DEFAULT_PORTS)
    assert found.keys() == DEFAULT_PORTS.keys()
    assert len(set(found.values())) == len(found)
    assert all(is_free(port) for port in found.values())


def test_no_two_processes_are_given_the_same_free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    few = range(31500, 31650)
    monkeypatch.setattr(ports, "TEST_PORTS", few)
    mine = set(free_ports(DEFAULT_PORTS).values())
    code = (
        f"from pappus.stack import ports; ports.TEST_PORTS = range({few.start}, {few.stop});"
        "print(*ports.free_ports(ports.DEFAULT_PORTS).values())"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    others = {int(port) for port in told.stdout.split()}
    assert len(others) == len(DEFAULT_PORTS)
    assert not mine & others
