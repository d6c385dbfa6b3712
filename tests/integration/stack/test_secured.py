"""The secured stack on its real servers: what each login may do, and what it may not."""

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition  # type: ignore[import-untyped]
from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # type: ignore[import-untyped]
from aiokafka.errors import (  # type: ignore[import-untyped]
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from pappus.stack import Servers
from pappus.stack.certificates import Authority
from pappus.stack.testing import servers_in
from shared.contract.access import GROUPS, PRINCIPALS, published_by, read_by
from shared.contract.events import EVENTS, Principal
from shared.contract.topics import FAUST_TOPICS, TOPICS, dead_letter_topic
from shared.messaging.event_log import EventLog
from shared.messaging.kafka import KafkaRefused, create_topics, make_users, open_event_log, raise_refusal, set_rights
from shared.runtime.errors import PappusError, TransientError
from shared.runtime.kafka_connection import KafkaConnection, KafkaProtocol
from shared.runtime.settings import Settings
from shared.storage.object_store import open_object_store
from shared.tables.postgres import DatabaseRefused, connector
from shared.testing import image_registered, model_trained, read_all

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
SERVERS = ("kafka", "postgres", "s3")
EVENT_TOPICS = [event.topic for event in EVENTS]


@pytest.fixture(scope="module")
def secured() -> Iterator[Servers]:
    """Servers of a secured stack, with all topics."""
    with tempfile.TemporaryDirectory(prefix="pappus-secured-") as folder:
        Path(folder).chmod(0o711)
        with servers_in(Path(folder) / "state", SERVERS, secure=True) as running:
            asyncio.run(create_topics(running.kafka))
            yield running


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """The certificate of an authority that signs for none of the servers."""
    authority = Authority(tmp_path / "stranger")
    authority.prepare()
    return authority.certificate


def settings(servers: Servers, owner: str, **values: Any) -> Settings:
    """Return the settings of a service in the secured stack."""
    own = servers.settings(owner)
    own["database_url"] = f"postgresql://{owner}@{own['database_url'].partition('@')[2].partition('?')[0]}"
    trusted = servers.stack.state.authority
    given = {
        **own,
        "database_password": servers.credentials.postgres[owner],
        "database_ca_file": trusted,
        "s3_ca_file": trusted,
    }
    return Settings(**{**given, **values})


# Kafka: who writes, reads, joins, and administers what.


async def write(connection: KafkaConnection, topic: str) -> None:
    producer = AIOKafkaProducer(**connection.client_settings, enable_idempotence=True, acks="all")
    await producer.start()
    try:
        async with asyncio.timeout(20):
            await producer.send_and_wait(topic, b"{}")
    finally:
        await producer.stop()


async def allowed_to_write(connection: KafkaConnection, topics: list[str]) -> set[str]:
    allowed = set()
    for topic in topics:
        try:
            await write(connection, topic)
            allowed.add(topic)
        except TopicAuthorizationFailedError:
            pass
    return allowed


async def allowed_to_read(connection: KafkaConnection, topics: list[str]) -> set[str]:
    allowed = set()
    for topic in topics:
        consumer = AIOKafkaConsumer(**connection.client_settings, auto_offset_reset="earliest")
        await consumer.start()
        try:
            consumer.assign([TopicPartition(topic, 0)])
            async with asyncio.timeout(20):
                while await consumer.position(TopicPartition(topic, 0)) < 1:  # each holds a record
                    await consumer.getmany(timeout_ms=500)
            allowed.add(topic)
        except TopicAuthorizationFailedError:
            pass
        finally:
            await consumer.stop()
    return allowed


@pytest.mark.parametrize("principal", PRINCIPALS)
async def test_a_service_writes_its_own_topics_and_no_others(secured: Servers, principal: Principal) -> None:
    letters = [dead_letter_topic(topic) for topic in EVENT_TOPICS]
    internal = [topic.name for topic in FAUST_TOPICS if topic.cleanup == "delete"]  # others want keys
    found = await allowed_to_write(secured.kafka_as(principal), [*EVENT_TOPICS, *letters, *internal])
    own = {*published_by(principal), *map(dead_letter_topic, read_by(principal))}
    assert found == own | (set(internal) if principal == "trainer" else set())


@pytest.mark.parametrize("principal", PRINCIPALS)
async def test_a_service_reads_its_own_topics_and_no_others(secured: Servers, principal: Principal) -> None:
    jobs = secured.kafka_as("jobs")
    producer = AIOKafkaProducer(**jobs.client_settings)
    await producer.start()
    letters = [dead_letter_topic(topic) for topic in EVENT_TOPICS[:3]]
    for topic in [*EVENT_TOPICS, *letters]:
        await producer.send_and_wait(topic, b"{}", partition=0)
    await producer.stop()
    assert await allowed_to_read(secured.kafka_as(principal), [*EVENT_TOPICS, *letters]) == set(read_by(principal))


@pytest.mark.parametrize("principal", PRINCIPALS)
async def test_a_service_joins_its_own_groups_and_no_others(secured: Servers, principal: Principal) -> None:
    allowed, topic = set(), read_by(principal)[0]
    for group in GROUPS:
        consumer = AIOKafkaConsumer(topic, **secured.kafka_as(principal).client_settings, group_id=group.name)
        try:
            async with asyncio.timeout(30):
                await consumer.start()
                await consumer.getmany(timeout_ms=2000)
            allowed.add(group.name)
        except GroupAuthorizationFailedError:
            pass
        finally:
            await consumer.stop()
    assert allowed == {group.name for group in GROUPS if group.principal == principal}


@pytest.mark.parametrize("principal", [*PRINCIPALS, "jobs"])
async def test_no_login_of_a_service_or_a_person_changes_rights(secured: Servers, principal: str) -> None:
    connection = secured.kafka_as(principal)
    with pytest.raises(PappusError, match="Kafka refused"):
        await set_rights(connection, [])
    with pytest.raises(PappusError, match="Kafka refused the user"):
        await make_users(connection, {"evil": "password"})


@pytest.mark.parametrize("principal", PRINCIPALS)
async def test_a_service_makes_and_deletes_no_topic(secured: Servers, principal: Principal) -> None:
    admin = AIOKafkaAdminClient(**secured.kafka_as(principal).client_settings)
    await admin.start()
    try:
        made = await admin.create_topics([NewTopic("evil", 1, 1)])
        gone = await admin.delete_topics([read_by(principal)[0]])
    finally:
        await admin.close()
    assert [entry[1] for entry in made.topic_errors] == [TopicAuthorizationFailedError.errno]
    assert [entry[1] for entry in gone.topic_error_codes] == [TopicAuthorizationFailedError.errno]


async def test_jobs_make_every_topic(secured: Servers) -> None:
    assert await create_topics(secured.kafka_as("jobs")) == []
    admin = AIOKafkaAdminClient(**secured.kafka_as("jobs").client_settings)
    await admin.start()
    try:
        assert {topic.name for topic in TOPICS} <= set(await admin.list_topics())
    finally:
        await admin.close()


# Kafka: who is not let in at all, and what is said.


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"password": "wrong"}, r"refused the login of 'trainer' .*secret pappus_kafka_password"),
        ({"username": "stranger"}, r"refused the login of 'stranger' .*PAPPUS_KAFKA_USERNAME"),
        ({"protocol": "PLAINTEXT"}, r"speaks TLS, and PAPPUS_KAFKA_PROTOCOL is PLAINTEXT"),
        ({"protocol": "SASL_PLAINTEXT"}, r"speaks TLS, .* set it to SASL_SSL"),
        ({"protocol": "SSL"}, r"asks for a login: set PAPPUS_KAFKA_PROTOCOL to SASL_SSL"),
        ({"ca_file": "stranger"}, r"not signed by whom PAPPUS_KAFKA_CA_FILE names"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value),
)
async def test_a_wrong_setting_ends_a_start_with_one_sentence(
    secured: Servers, stranger: Path, change: dict[str, Any], said: str
) -> None:
    change = {**change, "ca_file": stranger} if "ca_file" in change else change
    connection = replace(secured.kafka_as("trainer"), **change)
    with pytest.raises(KafkaRefused, match=said) as by_itself:
        await raise_refusal(connection)
    assert "\n" not in str(by_itself.value)
    async with open_event_log(connection) as event_log:
        with pytest.raises(KafkaRefused, match=said):  # a reader waits for a broker that is away, not for this
            await read_all(event_log, ["model.trained"])
        async with event_log.publisher("pappus/trainer") as publisher:
            with pytest.raises(KafkaRefused, match=said):
                await publisher.publish([model_trained()])


@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
async def test_a_client_that_encrypts_is_told_that_the_broker_does_not(
    servers: Servers, secured: Servers, protocol: KafkaProtocol
) -> None:
    connection = replace(secured.kafka_as("trainer"), bootstrap=servers.kafka_bootstrap, protocol=protocol)
    with pytest.raises(KafkaRefused, match=r"does not speak TLS, .* set it to (SASL_)?PLAINTEXT"):
        await raise_refusal(connection)


async def test_a_client_that_logs_in_is_told_that_the_broker_asks_for_none(servers: Servers) -> None:
    connection = KafkaConnection(servers.kafka_bootstrap, "SASL_PLAINTEXT", "trainer", "x")
    with pytest.raises(KafkaRefused, match=r"takes no login: set PAPPUS_KAFKA_PROTOCOL to PLAINTEXT"):
        await raise_refusal(connection)


async def test_the_controllers_door_is_closed_to_strangers(secured: Servers) -> None:
    port = secured.status.component("kafka").ports["kafka-controller"]
    for connection in (
        KafkaConnection(f"127.0.0.1:{port}"),
        replace(secured.kafka_as("trainer"), bootstrap=f"127.0.0.1:{port}"),
    ):
        with pytest.raises((KafkaRefused, KafkaError)):
            await raise_refusal(connection)
            await write(connection, "model.promoted")


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
MAY_READ["labeler"] |= {"images"}
MAY_READ["trainer"] |= {"images"}
PREFIXES = ("images", "uploads", "models", "features", "manifests")


def store_settings(servers: Servers, user: str, **values: Any) -> Settings:
    key = servers.credentials.s3[user]
    given = {"s3_access_key": key.access_key, "s3_secret_key": key.secret_key, **values}
    return settings(servers, "ingestor", **given)


@pytest.mark.parametrize("user", MAY_READ)
async def test_a_user_of_the_store_reaches_its_own_prefixes_alone(secured: Servers, user: str) -> None:
    written, read, name = set(), set(), uuid4().hex
    async with open_object_store(store_settings(secured, "root")) as root:
        for prefix in PREFIXES:
            await root.put(f"{prefix}/{name}", b"bytes")
    async with open_object_store(store_settings(secured, user)) as store:
        for prefix in PREFIXES:
            for found, act in ((read, store.get(f"{prefix}/{name}")), (written, store.put(f"{prefix}/{user}", b"x"))):
                try:
                    await act
                    found.add(prefix)
                except PappusError as error:
                    assert "AccessDenied" in str(error)  # noqa: PT017 - it is allowed to be allowed
    assert (read, written) == (MAY_READ[user], MAY_WRITE.get(user, set()))


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"s3_secret_key": "wrong"}, PappusError, r"PAPPUS_S3_ACCESS_KEY and the secret pappus_s3_secret_key"),
        ({"s3_access_key": "stranger"}, PappusError, r"PAPPUS_S3_ACCESS_KEY"),
        ({"s3_ca_file": "stranger"}, TransientError, r"not signed by whom PAPPUS_S3_CA_FILE names"),
        ({"s3_endpoint": "http"}, TransientError, r"PAPPUS_S3_ENDPOINT"),
    ],
    ids=["secret", "user", "authority", "plain"],
)
async def test_the_store_refuses_a_wrong_setting_in_one_sentence(
    secured: Servers, stranger: Path, change: dict[str, Any], error: type[Exception], said: str
) -> None:
    if "s3_ca_file" in change:
        change = {"s3_ca_file": stranger}
    if "s3_endpoint" in change:
        change = {"s3_endpoint": secured.s3_endpoint.replace("https:", "http:")}
    async with open_object_store(store_settings(secured, "ingestor", **change)) as store:
        with pytest.raises(error, match=said):
            await store.get("images/x")


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
            secured = Servers(running.stack, status, running.stack.credentials())
            asyncio.run(look(secured))
            secured.stack.down()
            again = Servers(running.stack, running.stack.up(SERVERS), running.stack.credentials())  # it is remembered
            asyncio.run(look(again))
