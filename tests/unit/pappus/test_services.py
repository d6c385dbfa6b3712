"""The environment of a service: who has the last word."""

import json
import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from pappus.stack import Stack
from pappus.stack.cache import Cache
from pappus.stack.config import StackConfig
from pappus.stack.context import StackContext
from pappus.stack.errors import StackError
from pappus.stack.folders import PROJECT, StateFolder
from pappus.stack.identity import MARK
from pappus.stack.services import (
    SECRETS,
    SERVICES,
    exported_environment,
    service_component,
    service_environment,
)
from pappus.stack.settings import inherited_environment
from services.ingestor.settings import IngestorSettings
from services.labeler.settings import LabelerSettings, UiSettings
from services.predictor.settings import PredictorSettings
from services.trainer.full_trigger.settings import FullTriggerSettings
from services.trainer.recorder.settings import RecorderSettings

BY_NAME = {service.name: service for service in SERVICES}


def environment(state: StateFolder, name: str, **caller: str) -> dict[str, str]:
    context = StackContext.load(state, Cache(Path("unused")), caller)
    return service_environment(BY_NAME[name], context)


def test_the_callers_settings_win_over_defaults(state: StateFolder) -> None:
    assert environment(state, "ingestor")["PAPPUS_MODEL_NAME"] == "plants"
    assert environment(state, "ingestor", PAPPUS_MODEL_NAME="trees")["PAPPUS_MODEL_NAME"] == "trees"


def test_the_callers_settings_never_win_over_generated_addresses(state: StateFolder) -> None:
    got = environment(state, "ingestor", PAPPUS_KAFKA_BOOTSTRAP="elsewhere:9092", PAPPUS_S3_SECRET_KEY="wrong")
    assert got["PAPPUS_KAFKA_BOOTSTRAP"] == "127.0.0.1:29092"
    assert got["PAPPUS_S3_SECRET_KEY"] != "wrong"


def test_certificates_and_proxies_of_the_caller_reach_every_service(state: StateFolder) -> None:
    assert environment(state, "labeler-ui", SSL_CERT_FILE="/certs.pem")["SSL_CERT_FILE"] == "/certs.pem"


def test_a_service_gets_its_own_credentials_and_no_others(state: StateFolder) -> None:
    got = environment(state, "predictor-worker")
    credentials = StackContext.load(state, Cache(Path("unused")), {}).credentials
    assert got["PAPPUS_DATABASE_URL"].startswith(f"postgresql://predictor:{credentials.postgres['predictor']}@")
    text = json.dumps(got)
    others = [credentials.postgres["trainer"], credentials.s3["root"].secret_key, credentials.session_secret]
    assert [secret for secret in others if secret in text] == []


@pytest.mark.parametrize(
    ("name", "secrets"),
    [
        ("ingestor", {"DATABASE_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY"}),
        (
            "labeler-api",
            {"DATABASE_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY", "SESSION_SECRET", "USERS_FILE", "PREDICTOR_KEY"},
        ),
        ("labeler-ui", {"PREDICTOR_KEY"}),
        ("trainer-fast", {"DATABASE_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY"}),
        ("trainer-gate", {"DATABASE_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY"}),
        ("trainer-full", {"DATABASE_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY"}),
        ("trainer-trigger", {"DATABASE_URL"}),
        ("trainer-recorder", {"DATABASE_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY", "MLFLOW_PASSWORD"}),
        ("predictor-api-0", {"DATABASE_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY", "CALLBACK_SECRET"}),
        ("predictor-api-1", {"DATABASE_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY", "CALLBACK_SECRET"}),
        ("predictor-worker", {"DATABASE_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY"}),
        ("predictor-batches", {"DATABASE_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY", "CALLBACK_SECRET"}),
    ],
)
def test_a_service_has_the_secrets_of_what_it_uses_and_no_others(
    state: StateFolder, name: str, secrets: set[str]
) -> None:
    callers = {f"PAPPUS_{secret}": "of a shell with another service's environment" for secret in SECRETS}
    got = environment(state, name, **callers)
    assert {secret for secret in SECRETS if f"PAPPUS_{secret}" in got} == secrets
    assert not [value for value in got.values() if "another service" in value]


def test_every_secret_among_the_settings_has_a_place_in_the_table() -> None:
    classes = (LabelerSettings, UiSettings, PredictorSettings, RecorderSettings, FullTriggerSettings, IngestorSettings)
    secret = {
        name.upper()
        for settings in classes
        for name, field in settings.model_fields.items()
        if field.annotation is SecretStr
    }
    assert secret <= SECRETS


def test_tokens_of_the_callers_shell_reach_no_service_and_no_server(state: StateFolder) -> None:
    caller = {"AWS_SECRET_ACCESS_KEY": "k", "GITHUB_TOKEN": "t", "PGPASSWORD": "p", "PATH": "/bin", "LC_ALL": "C"}
    kept = {"PATH": "/bin", "LC_ALL": "C"}
    for service in SERVICES:
        got = environment(state, service.name, **caller)
        assert not {"k", "t", "p"} & set(got.values())
        assert got.items() >= kept.items()
    context = StackContext.load(state, Cache(Path("unused")), {**caller, "PAPPUS_SESSION_SECRET": "s"})
    assert context.server_environment == {**kept, MARK: str(state.root)}


async def test_a_service_runs_in_an_empty_folder_and_finds_the_code(state: StateFolder) -> None:
    context = StackContext.load(state, Cache(Path("unused")), {"PYTHONPATH": "/more"})
    launched = await service_component(BY_NAME["predictor-worker"], context).launch(lambda _: None)
    assert launched is not None
    assert launched.folder.is_relative_to(state.services)
    assert list(launched.folder.iterdir()) == []
    assert launched.environment["PYTHONPATH"] == f"{PROJECT}{os.pathsep}/more"


def test_replicas_reach_the_object_store_as_a_user_of_their_own(state: StateFolder) -> None:
    users = [environment(state, name)["PAPPUS_S3_ACCESS_KEY"] for name in ("predictor-api-0", "predictor-worker")]
    assert users == ["predictor-api", "predictor"]


def test_replicas_ask_postgresql_as_a_role_of_their_own(state: StateFolder) -> None:
    credentials = StackContext.load(state, Cache(Path("unused")), {}).credentials
    got = environment(state, "predictor-api-0")
    assert got["PAPPUS_DATABASE_URL"].startswith(f"postgresql://predictor_api:{credentials.postgres['predictor_api']}@")
    assert credentials.postgres["predictor"] not in json.dumps(got)


def test_replicas_share_a_port_and_have_one_of_their_own(state: StateFolder) -> None:
    first, second = (environment(state, f"predictor-api-{n}") for n in (0, 1))
    assert first["PAPPUS_PORT"] == second["PAPPUS_PORT"] == "28000"
    assert first["PAPPUS_GRPC_PORT"] == second["PAPPUS_GRPC_PORT"] == "28001"
    assert first["PAPPUS_HEALTH_PORT"] != second["PAPPUS_HEALTH_PORT"]
    assert first["PAPPUS_STATE_FOLDER"] != second["PAPPUS_STATE_FOLDER"]


def test_only_the_labeler_knows_its_users(state: StateFolder) -> None:
    assert environment(state, "labeler-api")["PAPPUS_USERS_FILE"] == str(state.users)
    assert "PAPPUS_USERS_FILE" not in environment(state, "ingestor")
    users = json.loads(state.users.read_text())
    assert [(user["name"], user["role"]) for user in users] == [("labeler", "labeler"), ("operator", "operator")]


def test_an_allowed_host_reaches_the_fetcher_and_asks_for_a_restart(state: StateFolder) -> None:
    before = service_component(BY_NAME["ingestor"], StackContext.load(state, Cache(Path("unused")), {}))
    StackConfig(allowed_hosts=["127.0.0.1:28300"]).save(state)
    after = service_component(BY_NAME["ingestor"], StackContext.load(state, Cache(Path("unused")), {}))
    assert json.loads(environment(state, "ingestor")["PAPPUS_ALLOWED_HOSTS"]) == ["127.0.0.1:28300"]
    assert before.config_hash != after.config_hash


def test_hosts_of_the_environment_join_those_that_were_remembered(state: StateFolder) -> None:
    StackConfig(allowed_hosts=["127.0.0.1:28300"], lent_hosts=["lent:80"]).save(state)
    got = environment(state, "ingestor", PAPPUS_ALLOWED_HOSTS='["files.local"]')
    assert json.loads(got["PAPPUS_ALLOWED_HOSTS"]) == ["127.0.0.1:28300", "files.local", "lent:80"]


@pytest.mark.parametrize("text", ["files.local", '{"a": 1}', '["http://files.local/"]', "[1]"])
def test_hosts_of_the_environment_that_make_no_sense_are_refused(state: StateFolder, text: str) -> None:
    with pytest.raises(StackError, match="write "):
        environment(state, "ingestor", PAPPUS_ALLOWED_HOSTS=text)


def test_the_same_settings_ask_for_no_restart(state: StateFolder) -> None:
    one, two = (
        service_component(BY_NAME["trainer-full"], StackContext.load(state, Cache(Path("x")), {})) for _ in "12"
    )
    assert one.config_hash == two.config_hash


def test_the_exported_environment_is_what_a_shell_lacks(state: StateFolder) -> None:
    context = StackContext.load(state, Cache(Path("unused")), {"HOME": "/home/ada", "PAPPUS_MODEL_NAME": "trees"})
    got = exported_environment("trainer-gate", context)
    assert got.items() <= service_environment(BY_NAME["trainer-gate"], context).items()
    assert got["PAPPUS_HEALTH_PORT"] == "28204"
    assert got["PAPPUS_MODEL_NAME"] == "trees"
    assert "HOME" not in got


def test_a_process_with_the_exported_environment_is_not_reaped(state: StateFolder) -> None:
    context = StackContext.load(state, Cache(Path("unused")), {})
    assert MARK in service_environment(BY_NAME["ingestor"], context)
    assert MARK not in exported_environment("ingestor", context)


def test_an_unknown_service_is_answered_with_the_known_ones(state: StateFolder) -> None:
    context = StackContext.load(state, Cache(Path("unused")), {})
    with pytest.raises(StackError, match=r"no service kafka.*ingestor, labeler-api"):
        exported_environment("kafka", context)


def test_services_store_compiled_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    inherited = inherited_environment()
    assert "PYTHONDONTWRITEBYTECODE" not in inherited
    assert inherited["HTTPS_PROXY"] == "http://proxy"


@pytest.mark.parametrize(
    ("name", "value"),
    [("PAPPUS_LABELS", '["a", "a"]'), ("PAPPUS_LABELS", "a,b"), ("PAPPUS_MODEL_NAME", "plants/v2")],
)
def test_a_stack_with_settings_that_no_service_can_use_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(StackError, match=name) as refused:
        Stack(tmp_path / "state").up()
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "state").exists()
