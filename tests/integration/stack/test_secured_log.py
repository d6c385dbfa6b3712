"""Kafka in a secured stack: what each login may do, what it may not, and what is said to those who are not let in."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer  # type: ignore[import-untyped]
from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # type: ignore[import-untyped]
from aiokafka.errors import (  # type: ignore[import-untyped]
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from pappus.stack import Servers
from shared.contract.access import GROUPS, PRINCIPALS, WATCHER, groups_of, published_by, read_by
from shared.contract.events import EVENTS, Principal
from shared.contract.topics import FAUST_TOPICS, FAUST_TOPICS_OF, TOPICS, dead_letter_topic
from shared.messaging.kafka import KafkaRefused, create_topics, make_users, open_event_log, raise_refusal, set_rights
from shared.runtime.errors import NotReady, PappusError
from shared.runtime.kafka_connection import KafkaConnection, KafkaProtocol
from shared.testing import eventually, model_trained, read_all

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
EVENT_TOPICS = [event.topic for event in EVENTS]


async def write(connection: KafkaConnection, topic: str) -> None:
    producer = AIOKafkaProducer(**connection.client_settings, enable_idempotence=True, acks="all")
    await producer.start()
    try:
        async with asyncio.timeout(20):
            await producer.send_and_wait(topic, b"{}", key=b"compacted topics take none without")
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
    """Return those of which a record arrives; each holds one."""
    allowed = set()
    for topic in topics:
        consumer = AIOKafkaConsumer(topic, **connection.client_settings, auto_offset_reset="earliest")
        try:
            async with asyncio.timeout(30):
                await consumer.start()
                await consumer.getone()
            allowed.add(topic)
        except (TopicAuthorizationFailedError, UnknownTopicOrPartitionError):  # without a right it is not even named
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
    apps = [topics for group, topics in FAUST_TOPICS_OF.items() if group in groups_of(principal)]
    assert found == own | {topic.name for topics in apps for topic in topics} & set(internal)


@pytest.mark.parametrize("principal", PRINCIPALS)
async def test_a_service_reads_its_own_topics_and_no_others(secured: Servers, principal: Principal) -> None:
    jobs = secured.kafka_as("jobs")
    producer = AIOKafkaProducer(**jobs.client_settings)
    await producer.start()
    letters = [dead_letter_topic(topic) for topic in EVENT_TOPICS[:3]]
    for topic in [*EVENT_TOPICS, *letters]:
        await producer.send_and_wait(topic, b"{}", key=b"compacted topics take none without", partition=0)
    await producer.stop()
    own = {*EVENT_TOPICS, *letters} if principal == WATCHER else set(read_by(principal))
    assert await allowed_to_read(secured.kafka_as(principal), [*EVENT_TOPICS, *letters]) == own


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


async def test_a_publisher_without_a_right_says_so_and_waits_for_nothing(secured: Servers) -> None:
    async with (
        open_event_log(secured.kafka_as("predictor")) as event_log,
        event_log.publisher("pappus/trainer") as publisher,  # what it claims does not help it
    ):
        with pytest.raises(PappusError, match=r"take an event on model\.trained: .*PAPPUS_KAFKA_USERNAME has no right"):
            await publisher.publish([model_trained()])


async def test_a_group_without_a_right_says_so_and_waits_for_nothing(secured: Servers) -> None:
    async with open_event_log(secured.kafka_as("labeler")) as event_log:
        with pytest.raises(PappusError, match="PAPPUS_KAFKA_USERNAME has no right"):
            async with event_log.group("trainer-gate", ["model.trained"]) as consumer:
                await eventually(lambda: consumer.poll(0.5), 30)


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
            with pytest.raises(NotReady, match=said):  # in red: nothing is wrong with the events
                await publisher.publish([model_trained()])


async def test_a_publisher_that_was_refused_is_let_in_once_its_login_is_right(secured: Servers) -> None:
    connection = replace(secured.kafka_as("trainer"), username="latecomer", password="right")
    async with open_event_log(connection) as event_log, event_log.publisher("pappus/trainer") as publisher:
        with pytest.raises(NotReady, match=r"refused the login of 'latecomer'.*Nothing was sent"):
            await publisher.publish([model_trained()])
        admin = secured.stack.running_context().kafka_as("admin", "PLAIN")
        await make_users(admin, {"latecomer": "right"})

        async def let_in() -> bool:
            with pytest.raises(PappusError) as answer:  # it has no right to the topic, and is told so by name
                await publisher.publish([model_trained()])
            return "no right" in str(answer.value)

        await eventually(let_in)


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
    place = f"127.0.0.1:{secured.stack.status().component('kafka').ports['kafka-controller']}"
    with pytest.raises(KafkaRefused, match="speaks TLS"):
        await raise_refusal(KafkaConnection(place))
    with pytest.raises(KafkaRefused, match=r"knows no SCRAM-SHA-512"):
        await raise_refusal(replace(secured.kafka_as("trainer"), bootstrap=place))
