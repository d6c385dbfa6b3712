"""MLflow's scoring protocol, without a socket."""

import base64
import json
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from services.predictor.api.standards.mlflow_scoring import FORMS
from services.predictor.model.readiness import MODEL_PART
from tests.profiles import examples
from tests.unit.predictor.small_model import picture

from .conftest import LIMIT_BYTES, Replica
from .test_tensors import JSON

RED, GREEN = picture(255, 0, 0), picture(0, 255, 0)
R, G = (base64.b64encode(each).decode() for each in (RED, GREEN))
PNG = {"content-type": "image/png"}


async def invoke(replica: Replica, request: object) -> httpx2.Response:
    headers = {"content-type": "application/json; charset=utf-8"}
    return await replica.client.post("/invocations", content=json.dumps(request).encode(), headers=headers)


@pytest.mark.parametrize(
    "request_json",
    [
        {"dataframe_split": {"columns": ["id", "image"], "index": [0, 1], "data": [[1, R], [2, G]]}},
        {"dataframe_split": {"columns": ["bytes"], "data": [[R], [G]]}},
        {"dataframe_records": [{"id": 1, "image": R}, {"id": 2, "image": G}]},
        {"instances": [R, G]},
        {"instances": [{"image": R}, {"image": G}]},
        {"instances": [{"b64": R}, {"b64": G}]},
        {"inputs": [R, G]},
        {"inputs": [[R], [G]]},
        {"inputs": {"image": [R, G]}, "params": {"temperature": 1}},
        {"inputs": {"image": [[R], [G]]}},
        {"inputs": [base64.encodebytes(RED).decode(), G]},
    ],
)
async def test_each_form_is_answered_with_a_record_for_each_image(replica: Replica, request_json: object) -> None:
    response = await invoke(replica, request_json)
    assert response.status_code == 200, response.text
    assert list(response.json()) == ["predictions"]
    records = response.json()["predictions"]
    assert [record["label"] for record in records] == ["dandelion", "grass"]
    assert {record["model_version"] for record in records} == {"fast-3"}
    assert sum(records[0]["probabilities"].values()) == pytest.approx(1)
    assert [str(each.prediction_id) for each in await replica.logged()] == [each["prediction_id"] for each in records]


async def test_one_image_may_be_sent_alone_or_as_it_is(replica: Replica) -> None:
    [of_text] = (await invoke(replica, {"inputs": R})).json()["predictions"]
    raw = await replica.client.post("/invocations", content=RED, headers=PNG)
    [of_bytes] = raw.json()["predictions"]
    assert of_text | {"prediction_id": ""} == of_bytes | {"prediction_id": ""}


@pytest.mark.parametrize(
    ("request_json", "said"),
    [
        ([], "no object"),
        ({}, "0 of dataframe_split"),
        ({"inputs": [R], "instances": [R]}, "2 of dataframe_split"),
        ({"inputs": []}, "no image"),
        ({"inputs": [R] * 65}, "65 images"),
        ({"inputs": [7]}, "not a number"),
        ({"inputs": None}, "not null"),
        ({"inputs": ["!"]}, "not base64"),
        ({"inputs": [[R, G]]}, "2 values"),
        ({"inputs": {}}, "None of the 0 columns is 'image'"),
        ({"instances": [{"a": R, "b": G}]}, "None of the 2 columns is 'image'"),
        ({"dataframe_split": [R]}, "no lists `columns` and `data`"),
        ({"dataframe_split": {"columns": ["a", 1], "data": []}}, "None of the 2 columns"),
        ({"dataframe_split": {"columns": [{}], "data": [[R]]}}, "neither a string nor a number"),
        ({"dataframe_split": {"columns": ["image"], "data": [[]]}}, "not the 1 values"),
    ],
)
async def test_a_refusal_is_a_problem_with_the_members_of_mlflow(
    replica: Replica, request_json: object, said: str
) -> None:
    refused = await invoke(replica, request_json)
    assert refused.headers["content-type"] == "application/problem+json"
    body = refused.json()
    assert (refused.status_code, body["error"], body["error_code"]) == (400, "bad_request", "BAD_REQUEST")
    assert said in body["detail"]
    assert body["message"] == body["detail"]


async def test_what_is_no_image_is_refused_as_by_predict(replica: Replica) -> None:
    name, reason = "pappus_prediction_refusals_total", {"reason": "not_an_image"}
    before = REGISTRY.get_sample_value(name, reason) or 0.0
    refused = await invoke(replica, {"inputs": [R, base64.b64encode(b"hello").decode()]})
    assert (refused.status_code, refused.json()["error"], refused.json()["image"]) == (422, "not_an_image", 1)
    assert await replica.logged() == []
    raw = await replica.client.post("/invocations", content=b"hello", headers=PNG)
    assert (raw.status_code, raw.json()["error"]) == (422, "not_an_image")
    assert (REGISTRY.get_sample_value(name, reason) or 0.0) == before + 2


@pytest.mark.parametrize("kind", ["text/csv", "multipart/form-data; boundary=x", "application/octet-stream", ""])
async def test_another_kind_of_body_is_refused_with_those_that_are_read(replica: Replica, kind: str) -> None:
    refused = await replica.client.post("/invocations", content=b"x", headers={"content-type": kind})
    assert (refused.status_code, refused.json()["error"]) == (415, "unsupported_media_type")
    assert "image/jpeg" in refused.json()["detail"]


async def test_an_image_above_the_limit_is_refused(replica: Replica) -> None:
    for size_bytes in (LIMIT_BYTES + 1, LIMIT_BYTES * 2):
        refused = await replica.client.post("/invocations", content=bytes(size_bytes), headers=PNG)
        assert (refused.status_code, refused.json()["error"]) == (413, "too_large")


async def test_without_a_model_it_says_so_and_is_not_ready() -> None:
    replica = Replica(needed={MODEL_PART})
    async with replica.client as client:
        refused = await invoke(replica, {"inputs": [R]})
        assert (refused.status_code, refused.json()["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
        assert refused.headers["retry-after"] == "2"
        assert (await client.get("/ping")).status_code == 503


async def test_ping_and_version_answer_as_mlflow_does(replica: Replica) -> None:
    ping, version = await replica.client.get("/ping"), await replica.client.get("/version")
    assert (ping.status_code, ping.text) == (200, "\n")
    assert (version.status_code, version.text) == (200, "1")


@settings(examples(1), suppress_health_check=list(HealthCheck))
@given(request=JSON | st.dictionaries(st.sampled_from(FORMS), JSON | st.lists(st.just(R) | JSON), max_size=2))
async def test_rubbish_is_no_fault_of_the_server(replica: Replica, request: Any) -> None:
    assert (await invoke(replica, request)).status_code in (200, 400, 422)
