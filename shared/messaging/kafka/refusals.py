"""Why a broker does not let a client in. aiokafka only logs it and says that it cannot bootstrap, so that a wrong
password looks like a broker that is away; here the question is asked once more, and the answer is kept."""

import asyncio
import ssl
from contextlib import suppress
from typing import Any

from aiokafka.conn import AIOKafkaConnection, create_conn  # type: ignore[import-untyped]
from aiokafka.errors import (  # type: ignore[import-untyped]
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.admin import SaslHandShakeRequest  # type: ignore[import-untyped]

from shared.runtime.certificates import explain_certificate
from shared.runtime.errors import PappusError
from shared.runtime.kafka_connection import KafkaConnection

ASK_SECONDS = 5.0
_NO_SASL_STATE = IllegalSaslStateError.errno
_UNREACHED = (KafkaError, OSError, TimeoutError, ValueError)


class KafkaRefused(PappusError):
    """A broker answers, and does not let this client in, now or later; the text names the setting to correct."""


async def raise_refusal(connection: KafkaConnection) -> bool:
    """Ask the brokers one after the other. Return True if one lets this client in, False if none can be reached.

    Raises:
        KafkaRefused: one refuses for a reason that no repetition mends.
    """
    for host, port in connection.addresses:
        with suppress(*_UNREACHED):
            async with asyncio.timeout(ASK_SECONDS):
                await _knock(connection, host, port)
                return True
    return False


async def _knock(connection: KafkaConnection, host: str, port: int) -> None:
    try:
        opened = await _connect(host, port, connection.security_settings)
    except SaslAuthenticationFailed as error:
        said = error.args[0] if error.args else "no reason given"
        raise KafkaRefused(
            f"Kafka at {host}:{port} refused the login of {connection.username!r} ({said}): correct"
            " PAPPUS_KAFKA_USERNAME or the secret pappus_kafka_password."
        ) from None
    except UnsupportedSaslMechanismError:
        raise KafkaRefused(
            f"Kafka at {host}:{port} knows no {connection.mechanism}: let its listener take that mechanism, or correct"
            " PAPPUS_KAFKA_BOOTSTRAP."
        ) from None
    except IllegalSaslStateError:
        raise KafkaRefused(
            f"Kafka at {host}:{port} takes no login: set PAPPUS_KAFKA_PROTOCOL to"
            f" {'SSL' if connection.encrypted else 'PLAINTEXT'}."
        ) from None
    except ssl.SSLCertVerificationError as error:
        raise KafkaRefused(
            f"Kafka at {host}:{port} shows a certificate that"
            f" {explain_certificate(error, 'PAPPUS_KAFKA_CA_FILE', 'PAPPUS_KAFKA_BOOTSTRAP')}"
        ) from None
    except _UNREACHED:
        await _compare_protocols(connection, host, port)
        raise
    try:
        if not connection.logs_in and await _wants_login(opened):
            raise KafkaRefused(
                f"Kafka at {host}:{port} asks for a login: set PAPPUS_KAFKA_PROTOCOL to"
                f" SASL_{connection.protocol}, with PAPPUS_KAFKA_USERNAME and the secret pappus_kafka_password."
            )
    finally:
        await _close(opened)


async def _compare_protocols(connection: KafkaConnection, host: str, port: int) -> None:
    """Look whether the listener speaks TLS. Raises KafkaRefused if this client takes it for the other kind."""
    if connection.encrypted and await _speaks_plainly(host, port):
        wanted, speaks = connection.protocol.replace("SSL", "PLAINTEXT"), "does not speak TLS"
        wanted = wanted if connection.logs_in else "PLAINTEXT"
    elif not connection.encrypted and await _speaks_tls(host, port):
        wanted, speaks = "SASL_SSL" if connection.logs_in else "SSL or SASL_SSL", "speaks TLS"
    else:
        return
    raise KafkaRefused(
        f"Kafka at {host}:{port} {speaks}, and PAPPUS_KAFKA_PROTOCOL is {connection.protocol}: set it to {wanted}, or"
        " correct the port in PAPPUS_KAFKA_BOOTSTRAP."
    ) from None


async def _connect(host: str, port: int, settings: dict[str, Any]) -> AIOKafkaConnection:
    return await create_conn(host, port, request_timeout_ms=int(ASK_SECONDS * 1000), **settings)


async def _close(opened: AIOKafkaConnection) -> None:
    closed = opened.close()
    if closed is not None:
        await closed


async def _wants_login(opened: AIOKafkaConnection) -> bool:
    """Return whether the listener starts a login: one without logins says that this is no time for it."""
    answer = await opened.send(SaslHandShakeRequest("SCRAM-SHA-512"))
    return bool(answer.error_code != _NO_SASL_STATE)


async def _speaks_plainly(host: str, port: int) -> bool:
    try:
        await _close(await _connect(host, port, {"security_protocol": "PLAINTEXT"}))
    except _UNREACHED:
        return False
    return True


async def _speaks_tls(host: str, port: int) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # only asked what it speaks: nothing is sent
    try:
        _, writer = await asyncio.open_connection(host, port, ssl=context)
    except _UNREACHED:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
