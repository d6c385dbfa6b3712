"""MLflow's door: who comes through, and what its process is told."""

import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from pappus.mlflow_server.door import Door, Receive, Scope, Send
from pappus.mlflow_server.settings import MlflowServerSettings, environment_of_mlflow
from pappus.stack.cache import Cache
from pappus.stack.context import StackContext
from pappus.stack.credentials import Credentials
from pappus.stack.folders import StateFolder
from pappus.stack.mlflow import mlflow_component
from pappus.stack.services import SERVICES, service_environment

PASSWORDS = {"recorder": "the recorder's long word", "reader": "the reader's long word"}


async def mlflow(_scope: Scope, _receive: Receive, send: Send) -> None:
    """MLflow, as far as the door is concerned: it answers everything."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"MLflow"})


def client(who: str = "", *hosts: str) -> httpx2.AsyncClient:
    door = Door(mlflow, PASSWORDS, "recorder", hosts)
    auth = (who, PASSWORDS[who]) if who else None
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(door), base_url="http://mlflow:5000", auth=auth)


async def status(who: str, method: str, path: str) -> int:
    async with client(who) as asking:
        return (await asking.request(method, path)).status_code


@pytest.mark.parametrize(
    ("method", "path", "stranger", "reader"),
    [
        ("GET", "/health", 200, 200),
        ("POST", "/health", 401, 403),
        ("GET", "/version", 401, 200),
        ("GET", "/", 401, 200),
        ("GET", "/api/2.0/mlflow-artifacts/artifacts/1/a.json", 401, 200),
        ("POST", "/ajax-api/2.0/mlflow/runs/search", 401, 200),
        ("POST", "/api/2.0/mlflow/experiments/search", 401, 200),
        ("POST", "/ajax-api/3.0/mlflow/traces/search", 401, 200),
        ("POST", "/graphql", 401, 200),
        ("POST", "/api/2.0/mlflow/registered-models/alias", 401, 403),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/a.json", 401, 403),
        ("POST", "/api/2.0/mlflow/experiments/create", 401, 403),
        ("POST", "/api/2.0/mlflow/runs/searching", 401, 403),
        ("POST", "/x/api/2.0/mlflow/runs/search", 401, 403),
        ("POST", "/ajax-api/2.0/mlflow/a-word-of-a-later-release", 401, 403),
        ("PROPFIND", "/", 401, 403),
    ],
)
async def test_each_has_its_rights(method: str, path: str, stranger: int, reader: int) -> None:
    found = [await status(who, method, path) for who in ("", "reader", "recorder")]
    assert found == [stranger, reader, 200]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !",
        "Basic " + "A" * 100_000,
        "Bearer the recorder's long word",
        "Basic " + b64encode(b"recorder:the reader's long word").decode(),
        "Basic " + b64encode(b"recorder").decode(),
        "Basic " + b64encode(b":").decode(),
        "Basic " + b64encode("recorder:\u00e9".encode("latin-1")).decode(),
    ],
)
async def test_what_is_no_login_is_refused_with_a_question(header: str) -> None:
    async with client() as asking:
        refused = await asking.get("/", headers={"Authorization": header})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Basic realm=")
    assert refused.json()["error_code"] == "UNAUTHENTICATED"


async def test_a_refused_write_is_in_the_audit_log_and_a_refused_look_is_not() -> None:
    path = "/api/2.0/mlflow/registered-models/alias"
    with capture_logs() as lines:
        for who in ("", "reader", "recorder"):
            await status(who, "POST", path)
            await status(who, "GET", "/")
    found = [(line["event"], line["act"], line["who"], line["on"], line["outcome"]) for line in lines]
    assert found == [
        ("audit", "write", None, path, "unauthorised"),
        ("audit", "write", "reader", path, "forbidden"),
    ]


@pytest.mark.parametrize(
    ("host", "hosts", "expected"), [("evil.example", (), 421), ("ml.example", ("ml.example",), 200)]
)
async def test_it_answers_under_its_own_names(host: str, hosts: tuple[str, ...], expected: int) -> None:
    async with client("reader", *hosts) as asking:
        assert (await asking.get("/", headers={"Host": host})).status_code == expected


async def test_a_socket_is_closed() -> None:
    sent = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: Scope) -> None:
        sent.append(message["type"])

    await Door(mlflow, PASSWORDS, "recorder")({"type": "websocket", "path": "/", "headers": []}, receive, send)
    assert sent == ["websocket.close"]


def test_mlflow_is_told_its_database_and_its_bucket(ca_file: Path) -> None:
    settings = MlflowServerSettings(
        mlflow_password=SecretStr("a long password"),
        mlflow_reader_password=SecretStr("another password"),
        database_url=SecretStr("postgresql://mlflow@postgres:5432/mlflow"),
        database_password=SecretStr("p@ss"),
        database_ca_file=ca_file,
        s3_endpoint="https://s3:7070",
        s3_ca_file=ca_file,
        http_hosts=("ml.example",),
    )
    told = environment_of_mlflow(settings)
    assert told["_MLFLOW_SERVER_FILE_STORE"].startswith(
        "postgresql+psycopg://mlflow:p%40ss@postgres:5432/mlflow?sslmode="
    )
    assert told["_MLFLOW_SERVER_ARTIFACT_DESTINATION"] == "s3://mlflow"
    assert (told["MLFLOW_S3_ENDPOINT_URL"], told["AWS_CA_BUNDLE"]) == ("https://s3:7070", str(ca_file))
    assert told["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] == "http://ml.example,https://ml.example"


def test_without_passwords_it_does_not_start_and_names_them() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pappus.mlflow_server"],
        env={name: value for name, value in os.environ.items() if not name.startswith("PAPPUS_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "PAPPUS_MLFLOW_PASSWORD" in ended.stdout
    assert "PAPPUS_MLFLOW_READER_PASSWORD" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr


async def test_the_stack_gives_each_its_own_password(state: StateFolder) -> None:
    context = StackContext.load(state, Cache(Path("unused")), {"PAPPUS_MLFLOW_PASSWORD": "of the caller"})
    known = Credentials.load_or_create(state).mlflow
    recorder = next(service for service in SERVICES if service.name == "trainer-recorder")
    got = service_environment(recorder, context)
    assert (got["PAPPUS_MLFLOW_USERNAME"], got["PAPPUS_MLFLOW_PASSWORD"]) == ("recorder", known["recorder"])
    others = [service_environment(service, context) for service in SERVICES if service != recorder]
    assert not [each for each in others if "PAPPUS_MLFLOW_PASSWORD" in each]
    launched = await mlflow_component(context).launch(lambda _: None)
    assert launched is not None
    assert not set(launched.arguments) & set(known.values())
    assert {launched.environment[f"PAPPUS_MLFLOW_{who}PASSWORD"] for who in ("", "READER_")} == set(known.values())
