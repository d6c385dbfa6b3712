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


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("known", "no_waiting")
@pytest.mark.parametrize(
    "phases",
    [
        pytest.param(["fuzzing"], id="generated requests"),
        pytest.param(["examples", "coverage"], id="each keyword and each method", marks=pytest.mark.slow),
    ],
)
def test_every_answer_is_one_that_the_openapi_document_describes(settings: LabelerSettings, phases: list[str]) -> None:
    @asynccontextmanager
    async def open_store() -> AsyncIterator[MemoryObjectStore]:
        yield MemoryObjectStore()

    health = Health(needed=("tables",))
    app = create_app(
        settings, MemoryEventLog(), open_store, health, FixedClock(), predictor_network=PredictorInTests().network
    )
    headers = {"Authorization": f"Bearer {token('olga')}"}
    check_api(app, lambda: health.ready and health.ok, headers, times=0.1, phases=phases)
