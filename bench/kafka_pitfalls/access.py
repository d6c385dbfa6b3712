"""Users and access rules: a listener with SCRAM, and everything denied that no rule allows."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

from aiokafka.admin import NewTopic  # type: ignore[import-untyped]
from aiokafka.errors import KafkaError  # type: ignore[import-untyped]

from bench.kafka_pitfalls.broker import Broker, Installation, run
from bench.kafka_pitfalls.clients import admin_client, group_member, producer, reader
from bench.kafka_pitfalls.rows import Row, format_durations

TOPIC = "pitfall-access"
ROUNDS = 3
LONGEST_SECONDS = 30.0
LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule"
SETTINGS = {
    "listeners": "SASL_PLAINTEXT://127.0.0.1:${broker_port},CONTROLLER://127.0.0.1:${controller_port}",
    "advertised.listeners": "SASL_PLAINTEXT://127.0.0.1:${broker_port},CONTROLLER://127.0.0.1:${controller_port}",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT",
    "inter.broker.listener.name": "SASL_PLAINTEXT",
    "sasl.enabled.mechanisms": "SCRAM-SHA-256",
    "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-256",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:admin;User:ANONYMOUS",
}


async def access(installation: Installation) -> AsyncIterator[Row]:
    """Yield rows on a user with no rule, and one that may read a topic and nothing else."""
    passwords = {name: secrets.token_hex(8) for name in ("admin", "reading", "stranger")}
    async with _secured(installation, passwords) as broker:
        async with admin_client(broker.bootstrap, **broker.credentials) as admin:
            await admin.create_topics([NewTopic(TOPIC, 1, 1)])
        async with producer(broker.bootstrap, **broker.credentials) as sender:
            await sender.send_and_wait(TOPIC, b"x")
        yield Row("AclCommand adds a rule", f"{await _allow_reading(broker, installation):.1f} s (n = 1)")
        stranger, reading = (_credentials(name, passwords[name]) for name in ("stranger", "reading"))
        denied = await _repeat(lambda: _send(broker.bootstrap, stranger))
        yield Row("send by a user with no rule", denied)
        read = await _repeat(lambda: _read(broker.bootstrap, reading))
        yield Row("group-less read by a user that may only read the topic", read)
        joined = await _repeat(lambda: _join(broker.bootstrap, reading))
        yield Row("joining a group by a user that may only read the topic", joined)


@asynccontextmanager
async def _secured(installation: Installation, passwords: dict[str, str]) -> AsyncIterator[Broker]:
    login = f'{LOGIN} required username="admin" password="{passwords["admin"]}";'
    settings = SETTINGS | {"listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config": login}
    credentials = _credentials("admin", passwords["admin"])
    broker = Broker(installation, "access", settings, credentials=credentials)
    users = [f"SCRAM-SHA-256=[name={name},password={password}]" for name, password in passwords.items()]
    await broker.format(*(part for user in users for part in ("--add-scram", user)))
    try:
        await broker.start()
        yield broker
    finally:
        await broker.kill()


def _credentials(name: str, password: str) -> dict[str, str]:
    return {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": name,
        "sasl_plain_password": password,
    }


async def _allow_reading(broker: Broker, installation: Installation) -> float:
    """Allow reading, and return the seconds that Kafka's own command takes; aiokafka's admin client has none."""
    config = broker.folder / "admin.properties"
    name, password = (broker.credentials[f"sasl_plain_{part}"] for part in ("username", "password"))
    login = f'sasl.jaas.config={LOGIN} required username="{name}" password="{password}";'
    config.write_text(f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-256\n{login}\n")
    rule = ("--add", "--allow-principal", "User:reading", "--operation", "READ", "--topic", TOPIC)
    where = ("--bootstrap-server", broker.bootstrap, "--command-config", str(config))
    began = perf_counter()
    await run(installation.command("org.apache.kafka.tools.AclCommand", *where, *rule))
    return perf_counter() - began


async def _repeat(call: Callable[[], Awaitable[Any]]) -> str:
    """Repeat the call, and return how it ended each time, and when."""
    outcomes, seconds = set(), []
    for _ in range(ROUNDS):
        began = perf_counter()
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await call()
            outcomes.add("allowed")
        except (KafkaError, TimeoutError) as error:
            outcomes.add(type(error).__name__)
        seconds.append(perf_counter() - began)
    return f"{', '.join(sorted(outcomes))} after {format_durations(seconds)}, with the login"


async def _send(bootstrap: str, credentials: dict[str, str]) -> None:
    async with producer(bootstrap, enable_idempotence=False, **credentials) as sender:
        await sender.send_and_wait(TOPIC, b"x")


async def _read(bootstrap: str, credentials: dict[str, str]) -> None:
    async with reader(bootstrap, TOPIC, **credentials) as consumer:
        await consumer.getone()


async def _join(bootstrap: str, credentials: dict[str, Any]) -> None:
    consumer = group_member(bootstrap, "pitfall-access", **credentials)
    consumer.subscribe(topics=[TOPIC])
    try:
        await consumer.start()
    finally:
        await consumer.stop()
