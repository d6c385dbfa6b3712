"""The Open Inference Protocol over gRPC, with a server and a channel in process."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from typing import Any

import grpc
import numpy as np
import pytest

from services.predictor.api.keys import ApiKey, ApiKeys
from services.predictor.api.standards.batches import Batches
from services.predictor.api.standards.inference import Inference
from services.predictor.api.standards.pictures import bmp_of
from services.predictor.api.standards.protocol import open_inference_pb2 as pb
from services.predictor.api.standards.remote_calls import arrivals
from services.predictor.api.standards.remote_calls.calls import SERVICE, Calls
from services.predictor.api.standards.remote_calls.server import longest_message, serve_grpc
from services.predictor.api.standards.tensors import pack_bytes
from services.predictor.model.holder import ServingModel
from services.predictor.model.readiness import MODEL_PART
from services.predictor.model.scoring import INLINE_SECONDS
from shared.http.limits import BodyBudget
from shared.http.server import PortTaken, listening
from shared.imaging.decoding import decode
from shared.testing import eventually
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import picture, small_artefact
from tests.unit.predictor.test_scoring import Held

from .conftest import LIMIT_BYTES, Replica
from .grpc_asking import Asker, asking, images, outputs_of
from .test_open_inference import GREEN, RED, count

Code = grpc.StatusCode
KEY = "a key of 32 random bytes"


@pytest.fixture
async def asker(replica: Replica) -> AsyncIterator[Asker]:
    async with asking(replica) as made:
        yield made


async def test_the_server_and_the_model_describe_themselves(asker: Asker) -> None:
    assert (await asker.ask("ServerLive")).live
    assert (await asker.ask("ServerReady")).ready
    server = await asker.ask("ServerMetadata")
    assert (server.name, server.version) == ("pappus", "1")
    for version in ("", "fast-3"):
        assert (await asker.ask("ModelReady", pb.ModelReadyRequest(name="plants", version=version))).ready
        model = await asker.ask("ModelMetadata", pb.ModelMetadataRequest(name="plants", version=version))
        assert (model.name, list(model.versions), model.platform) == ("plants", ["fast-3"], "onnxruntime_onnx")
        assert [(each.name, each.datatype) for each in model.inputs] == [("image", "BYTES"), ("pixels", "UINT8")]
        assert {each.name: list(each.shape) for each in model.outputs}["probabilities"] == [-1, 2]


@pytest.mark.parametrize("raw", [False, True])
async def test_a_batch_is_answered_counted_and_logged(asker: Asker, replica: Replica, raw: bool) -> None:
    before = count("pappus_predictions_total", label="dandelion", source="api")
    calls = count("pappus_grpc_requests_total", method="ModelInfer", code="OK")
    answer = await asker.ask("ModelInfer", images(RED, GREEN, RED, raw=raw, id="a7", model_version="fast-3"))
    assert (answer.model_name, answer.model_version, answer.id) == ("plants", "fast-3", "a7")
    assert bool(answer.raw_output_contents) == raw
    assert [(each.name, each.datatype) for each in answer.outputs][:2] == [
        ("label", "BYTES"),
        ("probabilities", "FP32"),
    ]
    found = outputs_of(answer)
    assert found["label"] == [b"dandelion", b"grass", b"dandelion"]
    over_http = (await replica.client.post("/predict", files={"file": RED})).json()
    assert found["probabilities"][:2] == pytest.approx(list(over_http["probabilities"].values()))
    logged = (await replica.logged())[:3]
    assert [str(each.prediction_id).encode() for each in logged] == found["prediction_id"]
    assert logged[0].sha256 == hashlib.sha256(RED).hexdigest()
    assert count("pappus_predictions_total", label="dandelion", source="api") == before + 3  # with that over HTTP
    assert count("pappus_grpc_requests_total", method="ModelInfer", code="OK") == calls + 1


@pytest.mark.parametrize("raw", [False, True])
async def test_pixels_are_answered_like_their_file(asker: Asker, replica: Replica, raw: bool) -> None:
    pixels = decode(RED)
    asked = pb.ModelInferRequest(model_name="plants")
    tensor = asked.inputs.add(name="pixels", datatype="UINT8", shape=pixels.shape)
    if raw:
        asked.raw_input_contents.append(pixels.tobytes())
    else:
        tensor.contents.uint_contents.extend(pixels.ravel().tolist())
    asked.outputs.add(name="label")
    asked.outputs.add(name="classes")
    found = outputs_of(await asker.ask("ModelInfer", asked))
    assert found == {"label": [b"dandelion"], "classes": [b"dandelion", b"grass"]}
    assert (await replica.logged())[0].sha256 == hashlib.sha256(bmp_of(pixels)).hexdigest()


async def test_what_does_not_serve_is_not_found_with_the_sentence_of_http(asker: Asker, replica: Replica) -> None:
    for name, version in (("plants", "fast-2"), ("flowers", "")):
        path = f"/v2/models/{name}" + (f"/versions/{version}" if version else "")
        said = (await replica.client.get(path)).json()["error"]
        pinned = {"name": name, "version": version}
        assert await asker.refused(Code.NOT_FOUND, "ModelReady", pb.ModelReadyRequest(**pinned)) == said
        assert await asker.refused(Code.NOT_FOUND, "ModelMetadata", pb.ModelMetadataRequest(**pinned)) == said
        asked = images(RED)
        asked.model_name, asked.model_version = name, version
        assert await asker.refused(Code.NOT_FOUND, "ModelInfer", asked) == said
    assert await replica.logged() == []


async def test_without_a_model_the_replica_lives_but_is_unavailable(tracing: None) -> None:
    replica = Replica(needed={MODEL_PART})
    async with replica.client, asking(replica) as asker:
        assert (await asker.ask("ServerLive")).live
        assert not (await asker.ask("ServerReady")).ready
        assert not (await asker.ask("ModelReady", pb.ModelReadyRequest(name="plants"))).ready
        for call in ("ModelMetadata", "ModelInfer"):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await asker.ask(call)
            assert caught.value.code() == Code.UNAVAILABLE
            assert "No model has been promoted" in (caught.value.details() or "")
            assert ("retry-after", "2") in tuple(caught.value.trailing_metadata())


def of_pixels(shape: Sequence[int], **contents: Any) -> pb.ModelInferRequest:
    asked = pb.ModelInferRequest(model_name="plants")
    asked.inputs.add(name="pixels", datatype="UINT8", shape=shape, contents=pb.InferTensorContents(**contents))
    return asked


def with_both() -> pb.ModelInferRequest:
    asked = images(RED)
    asked.raw_input_contents.append(pack_bytes([RED]))
    return asked


def with_raw(*data: bytes) -> pb.ModelInferRequest:
    asked = images(RED, raw=True)
    asked.raw_input_contents[:] = data
    return asked


def classified() -> pb.ModelInferRequest:
    asked = images(RED, outputs=["label"])
    asked.outputs[0].parameters["classification"].int64_param = 2
    return asked


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (images(), "no image. Send 1 to 64"),
        (images(*[RED] * 65), "65 images. Send 1 to 64"),
        (images(RED, b"hello"), "Image 1: This is not an image."),
        (images(b"hello"), "This is not an image."),
        (images(RED, outputs=["logits"]), "Ask for some of label, probabilities"),
        (images(bytes(LIMIT_BYTES + 1)), "at most 300,000 bytes"),
        (pb.ModelInferRequest(model_name="plants"), "The inputs are none"),
        (with_both(), "both contents and raw_input_contents"),
        (with_raw(b"\xff"), "ends within an element"),
        (with_raw(pack_bytes([RED]), b""), "2 entries for 1 inputs"),
        (classified(), "Classification is an extension"),
        (of_pixels([1, 1, 3], bytes_contents=[b"x"]), "has bytes_contents. Send its data in uint_contents"),
        (of_pixels([1, 1, 3], uint_contents=[1, 2]), "has 2 elements"),
        (of_pixels([1, 1, 3], uint_contents=[1, 2, 256]), "whole numbers from 0 to 255"),
        (of_pixels([-1, 1, 3]), "no list of whole numbers"),
        (of_pixels([1] * 5), "5 dimensions"),
        (of_pixels([1], uint_contents=[1] * 300_001), "more than 300,000 bytes"),
        (b"\x2a\x00" * 20_001, "more than 20,000 fields"),
        (b"\x07", "no ModelInferRequest"),
        (b"\x0a\x01\xff", "no ModelInferRequest"),  # a name that is no text
    ],
)
async def test_a_request_that_cannot_be_answered_says_why(
    asker: Asker, replica: Replica, asked: Any, said: str
) -> None:
    assert said in await asker.refused(Code.INVALID_ARGUMENT, "ModelInfer", asked)
    assert await replica.logged() == []


async def test_refusals_are_counted_by_their_reason(asker: Asker) -> None:
    before = count("pappus_prediction_refusals_total", reason="not_an_image")
    await asker.refused(Code.INVALID_ARGUMENT, "ModelInfer", images(RED, b"hello"))
    assert count("pappus_prediction_refusals_total", reason="not_an_image") == before + 1


async def test_a_call_without_a_message_is_refused(asker: Asker) -> None:
    call: Any = asker.channel.stream_unary(f"/{SERVICE}/ModelInfer")(iter([]))
    with pytest.raises(grpc.aio.AioRpcError, match="The call has no message") as caught:
        await call
    assert caught.value.code() == Code.INVALID_ARGUMENT


async def test_a_message_longer_than_a_file_and_its_surroundings_is_refused(asker: Asker) -> None:
    large = bmp_of(np.zeros((316, 316, 3), np.uint8))
    assert LIMIT_BYTES - 1_000 < len(large) <= LIMIT_BYTES
    assert outputs_of(await asker.ask("ModelInfer", images(large, raw=True)))["model_version"] == [b"fast-3"]
    said = await asker.refused(Code.RESOURCE_EXHAUSTED, "ModelInfer", images(bytes(longest_message(LIMIT_BYTES))))
    assert "larger than max" in said


async def test_a_compressed_message_is_refused(asker: Asker) -> None:
    asked = images(bytes(200_000))
    said = await asker.refused(Code.UNIMPLEMENTED, "ModelInfer", asked, compression=grpc.Compression.Gzip)
    assert "gzip" in said


async def test_further_calls_are_refused_while_too_many_are_in_flight(asker: Asker, replica: Replica) -> None:
    turns = replica.predictions.turns
    with await turns.take("a") as one, ExitStack() as held:
        one.leave()
        held.enter_context(await turns.take("b")).leave()
        assert "Too many predictions" in await asker.refused(Code.UNAVAILABLE, "ModelInfer", images(RED))
    await asker.ask("ModelInfer", images(RED))


async def test_messages_share_the_room_of_all_bodies(replica: Replica) -> None:
    bodies = BodyBudget(limit_bytes=2_000)
    async with asking(replica, bodies=bodies) as asker:
        await asker.ask("ModelInfer", images(RED))
        with bodies.body() as other:
            bodies.add(other, 1_990, 0.0)
            assert "Too many bytes" in await asker.refused(Code.UNAVAILABLE, "ModelInfer", images(RED))
        await asker.ask("ModelInfer", images(RED))


async def test_keys_are_asked_for_as_over_http(replica: Replica) -> None:
    before = count("pappus_api_key_requests_total", key="shop", outcome="admitted")
    keys = ApiKeys()
    keys.set_all([ApiKey(name="shop", sha256=hashlib.sha256(KEY.encode()).hexdigest(), per_minute=2)])
    async with asking(replica, keys) as asker:
        assert (await asker.ask("ServerLive")).live
        assert (await asker.ask("ServerReady")).ready
        for call in ("ServerMetadata", "ModelReady", "ModelMetadata", "ModelInfer"):
            assert "only with a key" in await asker.refused(Code.UNAUTHENTICATED, call)
        wrong = (("x-api-key", "wrong"),)
        assert "not known here" in await asker.refused(Code.UNAUTHENTICATED, "ModelInfer", images(RED), metadata=wrong)
        for metadata in ((("authorization", f"Bearer {KEY}"),), (("x-api-key", KEY),)):
            await asker.ask("ModelInfer", images(RED), metadata=metadata)
        said = await asker.refused(Code.RESOURCE_EXHAUSTED, "ModelInfer", images(RED), metadata=(("x-api-key", KEY),))
        assert said.startswith("The key shop may ask 2 times a minute.")
    assert count("pappus_api_key_requests_total", key="shop", outcome="admitted") == before + 2
    assert len(await replica.logged()) == 2


async def test_the_key_is_looked_at_before_a_message_is_there(replica: Replica) -> None:
    keys = ApiKeys()
    keys.set_all([])
    async with asking(replica, keys) as asker:
        call: Any = asker.channel.stream_unary(f"/{SERVICE}/ModelInfer")
        with pytest.raises(grpc.aio.AioRpcError, match="only with a key"):
            await call(unsent(), timeout=20)


async def unsent() -> AsyncIterator[bytes]:
    """Yield no message, and do not end."""
    await asyncio.Event().wait()
    yield b""


async def test_an_answer_belongs_to_the_trace_of_the_caller(asker: Asker) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    call = asker.begin(
        "ModelInfer", images(RED).SerializeToString(), metadata=(("traceparent", f"00-{trace_id}-00f067aa0ba902b7-01"),)
    )
    await call
    assert ("x-trace-id", trace_id) in tuple(await call.trailing_metadata())


async def test_a_call_past_its_deadline_ends_and_records_nothing(asker: Asker, replica: Replica) -> None:
    many = images(*[picture(255, 0, 0)] * 64, raw=True)
    await asker.refused(Code.DEADLINE_EXCEEDED, "ModelInfer", many, timeout=0.002)
    await eventually(lambda: count("pappus_predictions_in_flight_requests") == 0)
    assert await replica.logged() == []
    await asker.ask("ModelInfer", images(RED), timeout=10)


@pytest.mark.parametrize("leaves", ["cancels", "has no more time"])
async def test_an_answer_waits_for_the_slow_one_of_a_caller_that_left(
    asker: Asker, replica: Replica, leaves: str
) -> None:
    model = Held()
    model.answer_seconds = 2 * INLINE_SECONDS
    replica.in_service.swap(ServingModel(promotion(4, small_artefact()), model, NOON))
    message = images(RED).SerializeToString()
    try:
        first = asker.begin("ModelInfer", message, timeout=30 if leaves == "cancels" else 1)
        await eventually(lambda: model.inside == 1)
        if leaves == "cancels":
            first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await eventually(lambda: count("pappus_predictions_in_flight_requests") == 0)  # its turn is over
        following = asyncio.gather(*(asker.begin("ModelInfer", message, timeout=30) for _ in range(2)))
        await eventually(lambda: count("pappus_predictions_in_flight_requests") == 2)
        await asker.ask("ServerLive")
        assert model.inside == 1
    finally:
        model.released.set()
    assert len(await following) == 2
    assert model.most == 1


async def test_a_bug_is_told_without_its_text(asker: Asker, replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise KeyError("secret")

    monkeypatch.setattr(replica.predictions, "serving", fail)
    said = await asker.refused(Code.INTERNAL, "ModelInfer", images(RED))
    assert "because of a bug" in said
    assert "secret" not in said


async def test_a_message_that_stalls_makes_room_for_others(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "BODY_SECONDS", 0.2)
    monkeypatch.setattr(arrivals, "ARRIVING_BYTES", 1)
    async with asking(replica) as asker:
        stalled: Any = asker.channel.stream_unary(f"/{SERVICE}/ModelInfer")()
        await stalled.wait_for_connection()
        await asyncio.sleep(0.1)
        await asker.ask("ModelInfer", images(RED))
        with pytest.raises(grpc.aio.AioRpcError, match="did not come in time") as caught:
            await stalled
        assert caught.value.code() == Code.DEADLINE_EXCEEDED


async def test_an_orderly_end_finishes_what_is_in_flight(asker: Asker) -> None:
    call = asyncio.create_task(asker.ask("ModelInfer", images(*[RED] * 64)))
    await eventually(lambda: count("pappus_predictions_in_flight_requests") > 0)
    asker.serving.cancel()
    assert len(outputs_of(await call)["label"]) == 64
    with pytest.raises(asyncio.CancelledError):
        await asker.serving
    await asker.refused(Code.UNAVAILABLE, "ServerLive")


async def test_a_port_that_is_taken_is_said(replica: Replica) -> None:
    calls = Calls(Inference(Batches(replica.predictions, 1), replica.health), ApiKeys(), BodyBudget(), 1)
    with listening("127.0.0.1", 0, shared=False) as taken:
        taken.listen()
        with pytest.raises(PortTaken, match="Free the port or choose another"):
            await serve_grpc(calls, "127.0.0.1", taken.getsockname()[1], 1)
