"""The monitor that the tests of this folder give answers to."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.predictor.monitor.bench import Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with Bench() as made:
        yield made
