"""Processes of the predictor that serve no clients are ready before the first model: an installation waits for that."""

from pathlib import Path
from uuid import uuid4

import pytest

from pappus.stack import Servers
from pappus.stack.ports import free_ports
from tests.integration.predictor.running import PredictorProcess

pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize("module", ["worker", "batches", "monitor"])
async def test_a_process_is_ready_before_the_first_model(module: str, servers: Servers, tmp_path: Path) -> None:
    own = {
        "health_port": str(free_ports(["health"])["health"]),
        "state_folder": str(tmp_path),
        "model_name": f"plants-{uuid4().hex[:8]}",
        "replica": module,
    }
    process = PredictorProcess(module, {**servers.settings("predictor"), **own}, tmp_path / "log")
    process.start()
    try:
        await process.until("/readyz")
    finally:
        process.kill()
