"""The four servers as the services find them: who may do what."""

import asyncio
import os
import stat
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import botocore.session
import httpx2
import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType  # type: ignore[import-untyped]
from botocore.config import Config
from botocore.exceptions import ClientError

from pappus.stack import Servers
from pappus.stack.probes import kafka_answers
from shared.tables.replay import ReplayPlan, replay
from shared.testing import MemoryEventLog

SERVICES = ("ingestor", "labeler", "trainer", "predictor")


def s3(servers: Servers, user: str) -> Any:
    session = botocore.session.Session()
    key = servers.credentials.s3[user]
    session.set_credentials(key.access_key, key.secret_key)
    return session.create_client(
        "s3",
        endpoint_url=servers.s3_endpoint,
        region_name="us-east-1",
        config=Config(proxies={}, retries={"max_attempts": 1}),
    )


def allowed(call: Any) -> bool:
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] == "AccessDenied":
            return False
        raise
    return True


async def test_kafka_answers_a_metadata_request(servers: Servers) -> None:
    host, _, port = servers.kafka_bootstrap.partition(":")
    assert await kafka_answers(host, int(port))


async def test_the_broker_keeps_group_offsets_for_years(servers: Servers) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka_bootstrap)
    await admin.start()
    try:
        asked = ConfigResource(ConfigResourceType.BROKER, "1", {"offsets.retention.minutes": None})
        [answer] = await admin.describe_configs([asked])
    finally:
        await admin.close()
    [(_, _, _, _, [setting])] = answer.resources
    assert int(setting[1]) >= 5 * 365 * 24 * 60


@pytest.mark.parametrize("role", SERVICES)
async def test_a_role_lands_in_its_own_schema_and_sees_pgvector(servers: Servers, role: str) -> None:
    connection = await asyncpg.connect(servers.database_url(role))
    try:
        await connection.execute("CREATE TABLE probe (v vector(3))")
        assert await connection.fetchval("SELECT schemaname FROM pg_tables WHERE tablename = 'probe'") == role
        assert await connection.fetchval("SELECT '[1,2,3]'::vector <-> '[1,2,4]'::vector") == 1.0
    finally:
        await connection.execute("DROP TABLE IF EXISTS probe")
        await connection.close()


@pytest.mark.parametrize("role", SERVICES)
async def test_a_role_replays_its_tables_without_a_right_on_the_database(servers: Servers, role: str) -> None:
    plan = ReplayPlan(role, f"services.{role}.data.sql", ())
    await replay(MemoryEventLog(), servers.database_url(role), plan, force=True)
    report = await replay(MemoryEventLog(), servers.database_url(role), plan)
    assert set(report.differing) <= {"positions"}  # which a service that runs on these servers writes again
    connection = await asyncpg.connect(servers.database_url(role))
    try:
        tables = "SELECT count(*) FROM pg_tables WHERE schemaname = $1"
        assert await connection.fetchval(tables, role) > 1
        assert await connection.fetchval(tables, f"{role}_replay") == 0
    finally:
        await connection.close()


@pytest.mark.parametrize("role", [*SERVICES, "predictor_api", "seeder"])
async def test_a_role_makes_nothing_outside_its_schemas(servers: Servers, role: str) -> None:
    connection = await asyncpg.connect(servers.database_url(role))
    try:
        for statement in (
            "CREATE SCHEMA labeler_other",
            "CREATE TEMPORARY TABLE t (n int)",
            "CREATE TABLE public.t (n int)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize("role", [*SERVICES, "predictor_api", "seeder", "mlflow"])
@pytest.mark.parametrize("database", ["postgres", "template1"])
async def test_a_role_does_not_enter_the_servers_own_databases(servers: Servers, role: str, database: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(servers.database_url(role, database=database))


async def test_people_with_sql_do_not_take_the_connections_of_services(servers: Servers) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(5):
            stack.push_async_callback((await asyncpg.connect(servers.database_url("seeder"))).close)
        with pytest.raises(asyncpg.TooManyConnectionsError):
            await asyncpg.connect(servers.database_url("seeder"))
        await (await asyncpg.connect(servers.database_url("labeler"))).close()


@pytest.mark.parametrize("call", ["pg_try_advisory_lock(1)", "pg_advisory_xact_lock_shared(1, 2)"])
async def test_people_with_sql_take_no_lock_of_a_service(servers: Servers, call: str) -> None:
    connection = await asyncpg.connect(servers.database_url("seeder"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"SELECT {call}")
    finally:
        await connection.close()


async def test_all_roles_together_have_fewer_connections_than_the_server(servers: Servers) -> None:
    connection = await asyncpg.connect(servers.database_url("postgres"))
    try:
        roles = await connection.fetch("SELECT rolconnlimit FROM pg_roles WHERE rolcanlogin AND NOT rolsuper")
        limits = [row["rolconnlimit"] for row in roles]
        reserved = await connection.fetchval("SHOW superuser_reserved_connections")
        assert min(limits) > 0
        assert sum(limits) <= int(await connection.fetchval("SHOW max_connections")) - int(reserved)
    finally:
        await connection.close()


async def test_an_installation_of_former_times_is_walled_in_by_the_next_start(servers: Servers) -> None:
    superuser = await asyncpg.connect(servers.database_url("postgres"))
    try:
        await superuser.execute("GRANT CREATE, TEMPORARY ON DATABASE pappus TO predictor")
        await superuser.execute("ALTER SCHEMA labeler_replay OWNER TO predictor; ALTER ROLE seeder CONNECTION LIMIT -1")
        await superuser.execute("CREATE TABLE labeler_replay.intruder (n int)")
        await superuser.execute("ALTER TABLE labeler_replay.intruder OWNER TO predictor")
        tables = ReplayPlan("predictor", "services.predictor.data.sql", ())
        await replay(MemoryEventLog(), servers.database_url("predictor"), tables, force=True)
        await superuser.execute("REVOKE ALL ON predictor.predictions FROM predictor_api")
        await asyncio.to_thread(servers.stack.restart, ["postgres"])
        await superuser.close()
        superuser = await asyncpg.connect(servers.database_url("postgres"))
        reads = "has_table_privilege('predictor_api', 'predictor.predictions', 'SELECT')"
        assert not await superuser.fetchval("SELECT has_database_privilege('predictor', 'pappus', 'CREATE')")
        assert await superuser.fetchval(f"SELECT {reads}")
        assert await superuser.fetchval("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'seeder'") == 5
    finally:
        await superuser.close()
    plan = ReplayPlan("labeler", "services.labeler.data.sql", ())
    assert (await replay(MemoryEventLog(), servers.database_url("labeler"), plan)).differing == ()


@pytest.mark.parametrize("role", SERVICES)
async def test_a_role_has_no_rights_in_another_schema(servers: Servers, role: str) -> None:
    connection = await asyncpg.connect(servers.database_url(role))
    try:
        for other in set(SERVICES) - {role}:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"CREATE TABLE {other}.intruder (n int)")
            assert not await connection.fetchval("SELECT has_schema_privilege($1, 'USAGE')", other)
    finally:
        await connection.close()


@pytest.mark.parametrize("role", [*SERVICES, "predictor_api", "seeder"])
async def test_a_role_does_not_enter_mlflows_database(servers: Servers, role: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(servers.database_url(role, database="mlflow"))


async def test_a_wrong_password_is_refused(servers: Servers) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(servers.database_url("trainer"), password="wrong")


@pytest.mark.parametrize(
    ("user", "writes", "reads", "deletes"),
    [
        ("ingestor", {"images/"}, {"images/", "uploads/"}, {"images/"}),
        ("labeler", {"uploads/"}, {"images/", "uploads/", "manifests/"}, {"uploads/"}),
        (
            "trainer",
            {"models/", "features/", "manifests/"},
            {"images/", "models/", "features/", "manifests/"},
            {"models/", "features/"},
        ),
        ("trainer-recorder", set(), {"models/"}, set()),
        ("predictor", set(), {"models/", "images/"}, set()),
        ("predictor-api", set(), {"models/"}, set()),
        ("mlflow", set(), set(), set()),
    ],
)
async def test_an_s3_user_reaches_its_own_prefixes_alone(
    servers: Servers, user: str, writes: set[str], reads: set[str], deletes: set[str]
) -> None:
    prefixes = ("images/", "uploads/", "models/", "features/", "manifests/")

    def probe() -> None:
        root, client = s3(servers, "root"), s3(servers, user)
        for prefix in prefixes:
            key = {"Bucket": "pappus", "Key": f"{prefix}aa/probe"}
            root.put_object(**key, Body=b"seed")
            assert allowed(lambda key=key: client.put_object(**key, Body=b"seed")) == (prefix in writes)
            assert allowed(lambda key=key: client.get_object(**key)["Body"].read()) == (prefix in reads)
            listed = {"Bucket": "pappus", "Prefix": prefix}
            assert allowed(lambda listed=listed: client.list_objects_v2(**listed)) == (prefix in reads)
            assert allowed(lambda key=key: client.delete_object(**key)) == (prefix in deletes)
            root.delete_object(**key)
        assert not allowed(lambda: client.list_objects_v2(Bucket="pappus"))
        root.close()
        client.close()

    await asyncio.to_thread(probe)


async def test_bytes_that_are_overwritten_are_kept_as_a_version(servers: Servers) -> None:
    def probe() -> list[bytes]:
        root, client = s3(servers, "root"), s3(servers, "ingestor")
        key = {"Bucket": "pappus", "Key": "images/aa/kept"}
        for body in (b"original", b"forged"):
            client.put_object(**key, Body=body)
        versions = root.list_object_versions(Bucket="pappus", Prefix=key["Key"])["Versions"]
        found = [root.get_object(**key, VersionId=one["VersionId"])["Body"].read() for one in versions]
        for one in versions:
            root.delete_object(**key, VersionId=one["VersionId"])
        root.close()
        client.close()
        return found

    assert sorted(await asyncio.to_thread(probe)) == [b"forged", b"original"]


async def test_a_missing_object_is_told_from_a_forbidden_one(servers: Servers) -> None:
    def probe() -> str:
        client = s3(servers, "predictor")
        with pytest.raises(ClientError) as caught:
            client.get_object(Bucket="pappus", Key="models/none/model.onnx")
        client.close()
        return str(caught.value.response["Error"]["Code"])

    assert await asyncio.to_thread(probe) == "NoSuchKey"


def mlflow_as(servers: Servers, name: str) -> httpx2.AsyncClient:
    """Return a client of MLflow that logs in under this name; "" for a stranger, "guess" with a wrong password."""
    login = (name, servers.credentials.mlflow[name]) if name in servers.credentials.mlflow else ("recorder", "guess")
    return httpx2.AsyncClient(base_url=servers.mlflow_url, trust_env=False, timeout=120, auth=login if name else None)


CREATE = "/api/2.0/mlflow/experiments/create"
ALIAS = "/api/2.0/mlflow/registered-models/alias"
FILE = "/api/2.0/mlflow-artifacts/artifacts/forged/evil.txt"
WRITES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("POST", ALIAS, {"name": "plants", "alias": "champion", "version": "1"}),
    ("DELETE", ALIAS, {"name": "plants", "alias": "champion"}),
    ("PUT", FILE, {}),
    ("DELETE", FILE, {}),
    ("POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=x&path=evil.txt", {}),
    ("POST", "/api/2.0/mlflow-artifacts/mpu/create/forged/evil.txt", {"path": "evil.txt", "num_parts": 1}),
    *(
        ("POST", CREATE, {"name": f"forged {place}", "artifact_location": place})
        for place in ("/etc", "file:///etc", "../..", "s3://pappus/images")
    ),
    ("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"}),
    ("POST", "/api/2.0/mlflow/registered-models/create", {"name": "forged"}),
    ("POST", "/api/2.0/mlflow/model-versions/create", {"name": "forged", "source": "/etc"}),
    ("PATCH", "/api/2.0/mlflow/registered-models/update", {"name": "plants", "description": "forged"}),
    ("POST", "/ajax-api/3.0/mlflow/traces/delete-traces", {"experiment_id": "0", "max_timestamp_millis": 1}),
    ("PUT", "/ajax-api/3.0/mlflow/assistant/config", {}),
    ("POST", "/gateway/proxy/x/y", {}),
    ("POST", "//api/2.0/mlflow/experiments/create", {"name": "forged"}),
    ("POST", "/graphql/../api/2.0/mlflow/experiments/create", {"name": "forged"}),
)
READS = (
    ("GET", "/", None),
    ("GET", "/api/2.0/mlflow/experiments/get-by-name?experiment_name=Default", None),
    ("POST", "/ajax-api/2.0/mlflow/runs/search", {"experiment_ids": ["0"]}),
    ("POST", "/api/2.0/mlflow/experiments/search", {"max_results": 5}),
    ("POST", "/graphql", {"query": "query { __typename }"}),
)


@pytest.mark.timeout(240)  # MLflow starts for it
@pytest.mark.parametrize(("who", "status"), [("", 401), ("guess", 401), ("reader", 403)])
async def test_only_the_recorder_changes_anything_in_mlflow(
    servers_with_mlflow: Servers, who: str, status: int
) -> None:
    servers = servers_with_mlflow
    async with mlflow_as(servers, who) as client, mlflow_as(servers, "recorder") as recorder:
        answers = {f"{method} {path}": await client.request(method, path, json=body) for method, path, body in WRITES}
        assert {act: answer.status_code for act, answer in answers.items()} == dict.fromkeys(answers, status)
        named = await recorder.post("/api/2.0/mlflow/experiments/search", json={"max_results": 100})
        assert "forged" not in named.text
        stored = await recorder.get("/api/2.0/mlflow-artifacts/artifacts", params={"path": "forged"})
        assert stored.json().get("files", []) == []


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("who", "status"), [("", 401), ("guess", 401), ("reader", 200)])
async def test_mlflow_shows_itself_to_the_reader_alone(servers_with_mlflow: Servers, who: str, status: int) -> None:
    async with mlflow_as(servers_with_mlflow, who) as client:
        for method, path, body in READS:
            answer = await client.request(method, path, json=body)
            assert (path, answer.status_code) == (path, status)
            assert ("www-authenticate" in answer.headers) == (status == 401)
        assert (await client.get("/health")).text == "OK"
        assert (await client.get("/", headers={"Host": "evil.example"})).status_code == 421


@pytest.mark.timeout(240)
async def test_mlflow_keeps_runs_in_its_database_and_artefacts_in_its_bucket(servers_with_mlflow: Servers) -> None:
    servers = servers_with_mlflow
    async with mlflow_as(servers, "recorder") as client:
        made = await client.post("/api/2.0/mlflow/experiments/create", json={"name": "probe"})
        assert made.status_code == httpx2.codes.OK, made.text
        put = await client.put("/api/2.0/mlflow-artifacts/artifacts/probe/note.txt", content=b"kept")
        assert put.status_code == httpx2.codes.OK, put.text
    connection = await asyncpg.connect(servers.database_url("mlflow", database="mlflow"))
    try:
        assert await connection.fetchval("SELECT count(*) FROM experiments WHERE name = 'probe'") == 1
    finally:
        await connection.close()

    def kept() -> bytes:
        client = s3(servers, "root")
        body: bytes = client.get_object(Bucket="mlflow", Key="probe/note.txt")["Body"].read()
        client.close()
        return body

    assert await asyncio.to_thread(kept) == b"kept"


def test_a_server_gets_little_of_the_callers_environment(servers: Servers) -> None:
    assert "PYTEST_VERSION" in os.environ
    for component in servers.stack.status().components:
        if component.process:
            names = psutil.Process(component.process.pid).environ().keys()
            assert "PATH" in names
            assert not [name for name in names if name.startswith("PYTEST_")]


def test_no_password_stands_on_a_command_line(servers: Servers) -> None:
    secrets = [*servers.credentials.postgres.values(), *(key.secret_key for key in servers.credentials.s3.values())]
    components = servers.stack.status().components  # as they run now: another test may have killed one
    lines = [" ".join(psutil.Process(one.process.pid).cmdline()) for one in components if one.process]
    assert len(lines) == len(components) >= 3
    assert not [line for line in lines for secret in secrets if secret in line]


def test_files_with_secrets_are_for_their_owner_alone(servers: Servers) -> None:
    folder = servers.stack.state
    for file in (folder.credentials, folder.users, folder.root / "s3" / "iam" / "users.json"):
        assert stat.S_IMODE(Path(file).stat().st_mode) == 0o600
