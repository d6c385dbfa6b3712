"""A world of its own for each test of the trainer."""

from collections.abc import AsyncIterator

import pytest

from pappus.stack import Servers
from shared.testing import MemoryEventLog, MemoryObjectStore
from tests.integration.trainer.trainer_env import Parts, World, open_world


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    """Log and object store in memory, tables in the real PostgreSQL."""
    async with open_world(MemoryEventLog(), servers.database_url("postgres"), MemoryObjectStore()) as opened:
        yield opened


@pytest.fixture
def parts(world: World) -> Parts:
    """The trainer's parts on that world."""
    return Parts(world)
