"""compose.yaml runs what the local stack runs, as the same roles and with the same secrets. No Docker is needed."""

import re
from pathlib import Path
from typing import Any

import pytest

from pappus.containers.secret_files import write_secrets
from pappus.stack.credentials import REPLICAS
from pappus.stack.services import ANSWERS, CALLBACKS, DATABASE, OBJECTS_STORE, SERVICES, Service
from tests.deploy.compose_rules import read

ROOT = Path(__file__).parents[3]
PROCESSES: dict[str, Any] = read((ROOT / "compose.yaml").read_text())["services"]
SECRETS = re.compile(r"\$\{PAPPUS_SECRETS:-./secrets\}/([a-z0-9-]+):/run/secrets:ro")
SECRET_OF = {
    DATABASE: "pappus_database_password",
    ANSWERS: "pappus_database_password",
    OBJECTS_STORE: "pappus_s3_secret_key",
    CALLBACKS: "pappus_callback_secret",
}
by_service = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)


def command(process: dict[str, Any]) -> list[str]:
    """Return what a container runs: its own command, else that of its image."""
    if "command" in process:
        return list(process["command"])
    [line] = re.findall(r"^CMD \[(.*)\]$", (ROOT / process["build"]["dockerfile"]).read_text(), re.MULTILINE)
    return re.findall(r'"([^"]+)"', line)


@by_service
def test_a_process_of_the_local_stack_has_a_container(service: Service) -> None:
    assert command(PROCESSES[service.name]) == ["python", "-m", service.module]


@by_service
def test_a_container_logs_in_as_its_service(service: Service) -> None:
    url = PROCESSES[service.name]["environment"].get("PAPPUS_DATABASE_URL")
    role = REPLICAS if ANSWERS in service.uses else service.owner
    wanted = f"postgresql://{role}@postgres:5432/pappus" if service.uses & {DATABASE, ANSWERS} else None
    assert url == wanted


@by_service
def test_a_container_has_the_secrets_of_what_its_service_uses(service: Service, tmp_path: Path) -> None:
    write_secrets(tmp_path / "secrets")
    folders = [found[1] for each in PROCESSES[service.name]["volumes"] if (found := SECRETS.fullmatch(each))]
    there = {file.name for folder in folders for file in (tmp_path / "secrets" / folder).iterdir()}
    assert {SECRET_OF[use] for use in service.uses if use in SECRET_OF} <= there


def test_only_an_address_of_both_replicas_is_published_for_grpc() -> None:
    grpc = {service.name for service in SERVICES if service.grpc}
    assert {name for name, one in PROCESSES.items() if "PAPPUS_GRPC_PORT" in one.get("environment", {})} == grpc
    proxy = (ROOT / "infra/containers/proxy/haproxy.cfg").read_text()
    for name in grpc:
        port = PROCESSES[name]["environment"]["PAPPUS_GRPC_PORT"]
        assert f"server {name} {name}:{port} " in proxy
        assert not [each for each in PROCESSES[name]["ports"] if each.endswith(f":{port}")]
    assert [each for each in PROCESSES["predictor"]["ports"] if each.endswith(":8001")]


@by_service
def test_a_container_gets_other_settings_from_a_file_that_may_be_missing(service: Service) -> None:
    [file] = PROCESSES[service.name]["env_file"]
    assert file == {"path": "${PAPPUS_SETTINGS:-./settings.env}", "required": False}
