"""No message over gRPC, of however much rubbish, is answered as a fault of the server."""

from collections.abc import AsyncIterator

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.predictor.api.standards.protocol import open_inference_pb2 as pb
from services.predictor.api.standards.tensors import pack_bytes
from tests.profiles import examples

from .conftest import Replica
from .grpc_asking import Asker, asking
from .test_open_inference import RED

Code = grpc.StatusCode


@pytest.fixture
async def asker(replica: Replica) -> AsyncIterator[Asker]:
    async with asking(replica) as made:
        yield made


REQUESTS = st.builds(
    pb.ModelInferRequest,
    model_name=st.sampled_from(["plants", "flowers"]),
    model_version=st.sampled_from(["", "fast-3"]) | st.text(max_size=5),
    id=st.text(max_size=5),
    inputs=st.lists(
        st.builds(
            pb.ModelInferRequest.InferInputTensor,
            name=st.sampled_from(["image", "pixels"]) | st.text(max_size=5),
            datatype=st.sampled_from(["BYTES", "UINT8", "FP32"]),
            shape=st.lists(st.integers(-1, 4) | st.integers(-(2**63), 2**63 - 1), max_size=5),
            contents=st.builds(
                pb.InferTensorContents,
                bytes_contents=st.lists(st.sampled_from([RED, b"", b"x"]), max_size=3),
                uint_contents=st.lists(st.integers(0, 300), max_size=12),
            ),
        ),
        max_size=2,
    ),
    outputs=st.lists(
        st.builds(
            pb.ModelInferRequest.InferRequestedOutputTensor, name=st.sampled_from(["label", "classes"]) | st.text()
        ),
        max_size=2,
    ),
    raw_input_contents=st.lists(st.binary(max_size=12) | st.just(pack_bytes([RED])), max_size=2),
)


@settings(examples(1), suppress_health_check=list(HealthCheck))
@given(
    call=st.sampled_from(["ModelInfer", "ModelInfer", "ModelReady", "ModelMetadata"]),
    message=REQUESTS.map(lambda message: message.SerializeToString()) | st.binary(max_size=40),
    behind=st.just(b"") | st.binary(max_size=8),
)
async def test_rubbish_is_no_fault_of_the_server(asker: Asker, call: str, message: bytes, behind: bytes) -> None:
    answered = asker.begin(call, message + behind)
    code = await answered.code()
    assert code in (Code.OK, Code.INVALID_ARGUMENT, Code.NOT_FOUND), await answered.details()
