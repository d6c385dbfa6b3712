"""PostgreSQL and the object store in a secured stack, and a stack that is secured later."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from pappus.stack import Servers
from pappus.stack.testing import LocalServers, servers_in
from shared.contract.access import PRINCIPALS
from shared.messaging.event_log import EventLog
from shared.messaging.kafka import KafkaRefused, create_topics, open_event_log, raise_refusal
from shared.runtime.errors import PappusError, TransientError
from shared.runtime.kafka_connection import KafkaConnection
from shared.runtime.settings import Settings
from shared.storage.object_store import ObjectStore, ObjectStoreRefused, open_object_store
from shared.tables.postgres import DatabaseRefused, connector
from shared.testing import image_registered, read_all
from tests.integration.stack.secured_settings import settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
SERVERS = ("kafka", "postgres", "s3")

# PostgreSQL.


async def test_postgres_is_reached_encrypted_with_the_settings_of_a_service(secured: Servers) -> None:
    connection = await connector(settings(secured, "labeler").database_dsn, "labeler")()
    try:
        assert await connection.fetchval("SELECT current_user") == "labeler"
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"database_password": "wrong"}, r"refused the login .*secret pappus_database_password"),
        ({"database_ca_file": "stranger"}, r"not signed by whom PAPPUS_DATABASE_CA_FILE names"),
        (
            {"database_ca_file": Path("/nowhere/ca.pem")},
            r"PAPPUS_DATABASE_CA_FILE is /nowhere/ca\.pem, which cannot be",
        ),
        (
            {"database_url": "?sslmode=disable", "database_ca_file": None},
            r"encrypted connections only: set PAPPUS_DATAB",
        ),
    ],
    ids=["password", "authority", "no file", "plain"],
)
async def test_postgres_refuses_a_wrong_setting_in_one_sentence(
    secured: Servers, stranger: Path, change: dict[str, Any], said: str
) -> None:
    if change.get("database_ca_file") == "stranger":
        change = {"database_ca_file": stranger}
    if "database_url" in change:
        change["database_url"] = settings(secured, "labeler").database_url.get_secret_value() + change["database_url"]
    with pytest.raises(PappusError, match=said) as refused:
        await connector(settings(secured, "labeler", **change).database_dsn, "labeler")()
    assert "\n" not in str(refused.value)


async def test_a_client_that_encrypts_is_told_that_postgres_does_not(servers: Servers, secured: Servers) -> None:
    trusted = secured.stack.state.authority
    with pytest.raises(DatabaseRefused, match=r"PostgreSQL speaks no TLS, which PAPPUS_DATABASE_CA_FILE"):
        await connector(settings(servers, "labeler", database_ca_file=trusted).database_dsn, "labeler")()


@pytest.mark.parametrize("role", PRINCIPALS)
@pytest.mark.parametrize("schema", PRINCIPALS)
async def test_a_role_reads_its_own_tables_alone(secured: Servers, role: str, schema: str) -> None:
    owner = await asyncpg.connect(secured.database_url(schema))
    await owner.execute(f"CREATE TABLE IF NOT EXISTS {schema}.secret (word text)")
    await owner.close()
    connection = await asyncpg.connect(secured.database_url(role))
    try:
        if role == schema:
            assert await connection.fetch(f"SELECT * FROM {schema}.secret") == []
            return
        for statement in (f"SELECT * FROM {schema}.secret", f"INSERT INTO {schema}.secret VALUES ('x')"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


# The object store.

MAY_WRITE = {"ingestor": {"images"}, "labeler": {"uploads"}, "trainer": {"models", "features", "manifests"}}
MAY_READ = {
    **{name: set(prefixes) for name, prefixes in MAY_WRITE.items()},
    "predictor": {"models", "images"},
    "predictor-api": {"models"},
}
MAY_READ["ingestor"] |= {"uploads"}
MAY_READ["labeler"] |= {"images", "manifests"}
MAY_READ["trainer"] |= {"images"}
PREFIXES = ("images", "uploads", "models", "features", "manifests")


def store_settings(servers: Servers, user: str, **values: Any) -> Settings:
    key = servers.credentials.s3[user]
    given = {"s3_access_key": key.access_key, "s3_secret_key": key.secret_key, **values}
    return settings(servers, "ingestor", **given)


async def is_allowed(own: Settings, act: Callable[[ObjectStore], Awaitable[object]]) -> bool:
    """Try it on a connection of its own: the server does not read the rest of a request that it refuses."""
    async with open_object_store(own) as store:
        try:
            await act(store)
        except PappusError as error:
            if "AccessDenied" not in str(error):
                raise
            return False
    return True


@pytest.mark.parametrize("user", MAY_READ)
async def test_a_user_of_the_store_reaches_its_own_prefixes_alone(secured: Servers, user: str) -> None:
    written, read, name = set[str](), set[str](), uuid4().hex
    async with open_object_store(store_settings(secured, "root")) as root:
        for prefix in PREFIXES:
            await root.put(f"{prefix}/{name}", b"bytes")
    own = store_settings(secured, user)
    for prefix in PREFIXES:
        if await is_allowed(own, lambda store, key=f"{prefix}/{name}": store.get(key)):  # type: ignore[misc]
            read.add(prefix)
        if await is_allowed(own, lambda store, key=f"{prefix}/{user}": store.put(key, b"x")):  # type: ignore[misc]
            written.add(prefix)
    assert (read, written) == (MAY_READ[user], MAY_WRITE.get(user, set()))


async def test_writes_follow_each_other_on_one_connection(secured: Servers) -> None:
    async with open_object_store(store_settings(secured, "root")) as root:
        for number in range(100):
            await root.put(f"images/{number}", b"bytes")


WRONG_STORE = {
    "secret": ({"s3_secret_key": "wrong"}, r"PAPPUS_S3_ACCESS_KEY, the secret pappus_s3_secret_key"),
    "user": ({"s3_access_key": "stranger"}, r"PAPPUS_S3_ACCESS_KEY"),
    "authority": ({"s3_ca_file": "stranger"}, r"not signed by whom PAPPUS_S3_CA_FILE names"),
    "plain": ({"s3_endpoint": "http"}, r"PAPPUS_S3_ENDPOINT"),
}


def wrong_store(secured: Servers, stranger: Path, which: str) -> tuple[Settings, str]:
    """The settings of the ingestor with one that is wrong, and what is said of it."""
    change, said = WRONG_STORE[which]
    given = {"stranger": stranger, "http": secured.s3_endpoint.replace("https:", "http:")}
    changed = {name: given.get(value, value) if name != "s3_access_key" else value for name, value in change.items()}
    return store_settings(secured, "ingestor", **changed), said


@pytest.mark.parametrize("which", ["secret", "user", "authority"])
async def test_a_store_that_lets_no_one_in_ends_a_start_with_one_sentence(
    secured: Servers, stranger: Path, which: str
) -> None:
    wrong, said = wrong_store(secured, stranger, which)
    with pytest.raises(ObjectStoreRefused, match=said) as refused:
        async with open_object_store(wrong):
            pytest.fail("it was opened")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("which", WRONG_STORE)
async def test_the_store_refuses_a_wrong_setting_in_one_sentence(secured: Servers, stranger: Path, which: str) -> None:
    wrong, said = wrong_store(secured, stranger, which)
    async with open_object_store(wrong, knock=False) as store:
        with pytest.raises(PappusError, match=said) as error:
            await store.get("images/x")
    assert isinstance(error.value, TransientError) == (which in ("authority", "plain"))


# A stack that was open.


async def published(event_log: EventLog) -> int:
    return len(await read_all(event_log, ["image.registered"]))


def test_a_stack_that_was_open_keeps_its_data_when_it_is_secured() -> None:
    async def fill(servers: Servers) -> None:
        await create_topics(servers.kafka)
        async with open_event_log(servers.kafka) as event_log, event_log.publisher("pappus/ingestor") as publisher:
            await publisher.publish([image_registered()])
        connection = await asyncpg.connect(servers.database_url("labeler"))
        await connection.execute("CREATE TABLE labeler.kept AS SELECT 7 AS number")
        await connection.close()
        async with open_object_store(Settings(**servers.settings("ingestor"))) as store:  # type: ignore[arg-type]
            await store.put("images/kept", b"kept")

    async def look(servers: Servers) -> None:
        async with open_event_log(servers.kafka_as("ingestor")) as event_log:
            assert await published(event_log) == 1
        connection = await asyncpg.connect(servers.database_url("labeler"))
        assert await connection.fetchval("SELECT number FROM labeler.kept") == 7
        await connection.close()
        async with open_object_store(settings(servers, "ingestor")) as store:
            assert await store.get("images/kept") == b"kept"
        with pytest.raises(KafkaRefused, match="speaks TLS"):
            await raise_refusal(KafkaConnection(servers.kafka_bootstrap))

    with tempfile.TemporaryDirectory(prefix="pappus-secured-") as folder:
        Path(folder).chmod(0o711)
        with servers_in(Path(folder) / "state", SERVERS) as running:
            asyncio.run(fill(running))
            status = running.stack.up(SERVERS, secure=True)
            secured = LocalServers(running.stack, status, running.stack.credentials())
            asyncio.run(look(secured))
            secured.stack.down()
            again = LocalServers(
                running.stack, running.stack.up(SERVERS), running.stack.credentials()
            )  # it is remembered
            asyncio.run(look(again))
