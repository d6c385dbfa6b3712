"""Users and rights on a broker with an authorizer, made equal to a table."""

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence

from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]
from aiokafka.errors import for_code  # type: ignore[import-untyped]

from shared.contract.access import Acl
from shared.messaging.kafka.admin_requests import AlterScram, CreateAcls, DeleteAcls, DescribeAcls
from shared.messaging.kafka.client import kafka_errors, open_admin, with_timeout
from shared.runtime.errors import PappusError
from shared.runtime.kafka_connection import KafkaConnection

ITERATIONS = 8192
SCRAM_SHA_512 = 2
KINDS = {"topic": 2, "group": 3, "cluster": 4}
OPERATIONS = {"All": 2, "Read": 3, "Write": 4, "Describe": 8}
ANY, LITERAL, ALLOW = 1, 3, 3
EVERY_HOST = "*"

_Rule = tuple[int, str, int, str, str, int, int]
"""Kind, name, pattern, principal, host, operation, allowed or denied: as the protocol numbers them."""


async def make_users(connection: KafkaConnection, passwords: Mapping[str, str]) -> None:
    """Give these users these passwords, for SCRAM-SHA-512; others stay. `connection` logs in as one who may.

    Raises:
        PappusError: Kafka refused one.
        TransientError: Kafka is away.
    """
    none: dict[int, bytes] = {}
    upsertions = [(name, SCRAM_SHA_512, ITERATIONS, *_salted(password), none) for name, password in passwords.items()]
    async with open_admin(connection) as admin:
        with kafka_errors("make the users"):
            answer = await with_timeout(_send(admin, AlterScram([], upsertions, none)))
    for name, code, message, _ in answer.results:
        _check(code, message, f"the user {name}")


async def set_rights(connection: KafkaConnection, wanted: Iterable[Acl]) -> None:
    """Make the rights on the broker these, and no others. `connection` logs in as one who may.

    Raises:
        PappusError: Kafka refused one.
        TransientError: Kafka is away.
    """
    rules = {rule for acl in wanted for rule in _rules(acl)}
    async with open_admin(connection) as admin:
        with kafka_errors("change the rights"):
            known = await _known(admin)
            if missing := sorted(rules - known):
                answer = await with_timeout(_send(admin, CreateAcls(missing)))
                for code, message in answer.creation_responses:
                    _check(code, message, "a right")
            if others := sorted(known - rules):
                answer = await with_timeout(_send(admin, DeleteAcls(others)))
                for code, message, _ in answer.filter_responses:
                    _check(code, message, "to take a right away")


async def _known(admin: AIOKafkaAdminClient) -> set[_Rule]:
    answer = await with_timeout(_send(admin, DescribeAcls(ANY, None, ANY, None, None, ANY, ANY)))
    _check(answer.error_code, answer.error_message, "to list the rights")
    return {(kind, name, pattern, *right) for kind, name, pattern, rights in answer.resources for right in rights}


def _rules(acl: Acl) -> Sequence[_Rule]:
    return [
        (KINDS[acl.resource], acl.name, LITERAL, f"User:{acl.principal}", EVERY_HOST, OPERATIONS[operation], ALLOW)
        for operation in acl.operations
    ]


def _salted(password: str) -> tuple[bytes, bytes]:
    """Return a new salt and the salted password (RFC 5802)."""
    salt = secrets.token_bytes(24)
    return salt, hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)


async def _send(admin: AIOKafkaAdminClient, request: object) -> object:
    return await admin._send_request(request)  # aiokafka offers no public way


def _check(code: int, message: str | None, what: str) -> None:
    if code:
        raise PappusError(f"Kafka refused {what}: {for_code(code).__name__} {message or ''}")
