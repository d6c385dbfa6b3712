"""Real servers for the integration tests: those of the contract tests if the same worker ran them, the log emptied."""

import asyncio

import pytest

from pappus.stack import Servers
from tests.topics import empty_topics


@pytest.fixture(scope="session")
def servers(servers: Servers) -> Servers:
    """Kafka, PostgreSQL with roles and schemas, S3 with buckets and policies, without records of other tests."""
    asyncio.run(empty_topics(servers))
    return servers
