"""The labeler's API against its own description, as an operator who may call everything."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.labeler.api.app import create_app
from services.labeler.settings import LabelerSettings
from shared.runtime.health import Health
from shared.testing import FixedClock, MemoryEventLog, MemoryObjectStore
from tests.openapi import check_api

from .conftest import token
from .predictor_in_tests import PredictorInTests


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("known", "no_waiting")
def test_every_answer_is_one_that_the_openapi_document_describes(settings: LabelerSettings) -> None:
    @asynccontextmanager
    async def open_store() -> AsyncIterator[MemoryObjectStore]:
        yield MemoryObjectStore()

    health = Health(needed=("tables",))
    app = create_app(
        settings, MemoryEventLog(), open_store, health, FixedClock(), predictor_network=PredictorInTests().network
    )
    check_api(app, lambda: health.ready and health.ok, {"Authorization": f"Bearer {token('olga')}"})
