"""The process that answers batches, killed at work; the one address of both replicas for gRPC."""

import zipfile
from io import BytesIO
from typing import Any
from uuid import UUID

import grpc
import httpx2
import pytest

from pappus.demo.drawing import draw_tiles
from services.predictor.api.standards.protocol import open_inference_pb2 as pb
from services.predictor.api.standards.remote_calls.calls import SERVICE
from shared.clients.api import AsyncApi
from shared.clients.batches import BatchView, get_batch, request_predictions
from shared.clients.errors import ApiProblem
from shared.testing import eventually

from .installation import Compose

pytestmark = [pytest.mark.compose, pytest.mark.timeout(900)]
PROCESS = "predictor-batches"
PICTURES = 300
ANSWERED_SECONDS = 180.0


def archive(pictures: int) -> bytes:
    """Return a ZIP archive of so many drawn pictures."""
    held = BytesIO()
    with zipfile.ZipFile(held, "w") as files:
        for number in range(pictures):
            files.writestr(f"{number}.png", draw_tiles(10_000 + number))
    return held.getvalue()


async def finished(api: AsyncApi, batch_id: UUID) -> BatchView | None:
    """Return the batch once all of it is finished. It is shown a moment after it was accepted."""
    try:
        batch = await api.send(get_batch(batch_id))
    except ApiProblem as problem:
        if problem.code == "unknown_batch":
            return None
        raise
    return batch if batch.finished else None


async def test_a_batch_is_answered_although_its_process_is_killed_twice(compose: Compose) -> None:
    compose.have_a_model()
    async with AsyncApi(f"http://127.0.0.1:{compose.ports['PREDICTOR']}") as api:
        killed = compose.kill(PROCESS)
        asked = await api.send(request_predictions(archive=archive(PICTURES), key="killed"))
        await eventually(lambda: compose.process(PROCESS) not in (0, killed), ANSWERED_SECONDS)
        compose.kill(PROCESS)
        batch = await eventually(lambda: finished(api, asked.batch_id), ANSWERED_SECONDS)
        assert batch is not None
        assert (batch.size, batch.answered, batch.refused) == (PICTURES, PICTURES, 0)
        assert [each.prediction_id for each in batch.predictions] == asked.predictions
        again = await api.send(request_predictions(archive=archive(PICTURES), key="killed"))
        assert again.batch_id == asked.batch_id
    await eventually(lambda: PROCESS not in compose.unhealthy(), ANSWERED_SECONDS)


async def test_both_replicas_answer_over_grpc_at_one_address(compose: Compose) -> None:
    compose.have_a_model()
    for _ in range(20):
        async with grpc.aio.insecure_channel(f"127.0.0.1:{compose.ports['PREDICTOR_GRPC']}") as channel:
            ask: Any = channel.unary_unary(f"/{SERVICE}/ModelInfer")
            asked = pb.ModelInferRequest(model_name="plants")
            asked.inputs.add(name="image", datatype="BYTES", shape=[1]).contents.bytes_contents.append(draw_tiles(1))
            answer = pb.ModelInferResponse.FromString(await ask(asked.SerializeToString(), timeout=20))
            assert answer.model_version
    assert all(answered_over_grpc(compose, replica) for replica in ("predictor-api-0", "predictor-api-1"))


def answered_over_grpc(compose: Compose, replica: str) -> bool:
    """Return whether this replica has answered a call."""
    port = compose.ports[replica.upper().replace("-", "_")]
    metrics = httpx2.get(f"http://127.0.0.1:{port}/metrics").text
    return any(line.startswith("pappus_grpc_requests_total{") and 'code="OK"' in line for line in metrics.splitlines())
