"""Sending requests: retries while an API restarts, and errors that say what happened."""

from collections.abc import Callable
from uuid import uuid4

import httpx2
import pytest

from shared.clients.api import AsyncApi, BlockingApi
from shared.clients.errors import ApiProblem, ApiUnreachable, UnexpectedAnswer
from shared.clients.labeler import correct_label, get_champion, get_labels, log_in
from shared.clients.predictor import predict

LABELS = {"labels": ["dandelion", "grass"], "model_name": "plants"}
UNAVAILABLE = {"error": "unavailable", "detail": "The log is down. Try again."}
Answer = Callable[[httpx2.Request], httpx2.Response]


def api(answer: Answer, retry_for_seconds: float = 30.0) -> AsyncApi:
    return AsyncApi("http://api", retry_for_seconds, httpx2.MockTransport(answer))


class Restarting:
    """An API that has no connection, then is unavailable, then answers; it keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        if len(self.requests) == 1:
            raise httpx2.ConnectError("refused")
        if len(self.requests) == 2:
            return httpx2.Response(503, json=UNAVAILABLE)
        if request.url.path == "/labels":
            return httpx2.Response(200, json=LABELS)
        return httpx2.Response(202, json={"event_id": str(uuid4()), "image_id": str(uuid4())})


async def test_a_request_is_sent_again_until_the_api_is_back() -> None:
    restarting = Restarting()
    async with api(restarting) as labeler:
        assert (await labeler.send(get_labels())).labels == ("dandelion", "grass")
    assert len(restarting.requests) == 3


async def test_all_tries_of_one_command_carry_one_key_and_two_commands_two() -> None:
    restarting = Restarting()
    async with api(restarting) as labeler:
        await labeler.send(correct_label(uuid4(), "grass", 0))
        await labeler.send(correct_label(uuid4(), "grass", 0))
    keys = [request.headers["Idempotency-Key"] for request in restarting.requests]
    assert len(set(keys[:3])) == 1
    assert len(set(keys)) == 2


async def test_an_api_that_stays_down_is_an_error_that_says_what_to_try() -> None:
    def refuse(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    async with api(refuse, retry_for_seconds=0) as labeler:
        with pytest.raises(ApiUnreachable, match=r"No answer from http://api .* Try: pappus status"):
            await labeler.send(get_labels())


async def test_an_api_that_stays_unavailable_is_an_error_in_its_own_words() -> None:
    async with api(lambda _: httpx2.Response(503, json=UNAVAILABLE), retry_for_seconds=0) as labeler:
        with pytest.raises(
            ApiProblem, match=r"http://api/labels answered 503: The log is down\. Try again\."
        ) as caught:
            await labeler.send(get_labels())
    assert (caught.value.code, caught.value.retryable) == ("unavailable", True)


def superseded(request: httpx2.Request) -> httpx2.Response:
    members = {"label": "grass", "revision": 3, "corrected_by": "berta"}
    problem = {"type": "about:blank", "title": "Conflict", "status": 409, "detail": "berta was first."}
    body = problem | members | {"error": "superseded"}
    return httpx2.Response(409, json=body, headers={"Content-Type": "application/problem+json"})


async def test_a_refusal_is_sent_once_and_keeps_the_members_of_its_document() -> None:
    requests: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        return superseded(request)

    async with api(answer) as labeler:
        with pytest.raises(ApiProblem) as caught:
            await labeler.send(correct_label(uuid4(), "grass", 0))
    problem = caught.value
    assert (problem.status, problem.code, problem.detail) == (409, "superseded", "berta was first.")
    assert (problem.members["label"], problem.members["revision"]) == ("grass", 3)
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("response", "detail"),
    [
        (httpx2.Response(500, text="<h1>Oops</h1>"), "<h1>Oops</h1>"),
        (httpx2.Response(500), "500 Internal Server Error"),
        (httpx2.Response(500, json=["no", "object"]), '["no","object"]'),
        (httpx2.Response(500, json={"title": "Internal Server Error"}), "Internal Server Error"),
    ],
)
def test_an_error_without_a_document_is_told_as_it_came(response: httpx2.Response, detail: str) -> None:
    labeler = BlockingApi("http://api", 5, httpx2.MockTransport(lambda _: response))
    with pytest.raises(ApiProblem) as caught:
        labeler.send(get_labels())
    assert (caught.value.detail, caught.value.code) == (detail, "")


@pytest.mark.parametrize("response", [httpx2.Response(200, text="hello"), httpx2.Response(200, json={"labels": 1})])
def test_an_answer_of_another_shape_is_an_error(response: httpx2.Response) -> None:
    labeler = BlockingApi("http://api", 5, httpx2.MockTransport(lambda _: response))
    with pytest.raises(UnexpectedAnswer, match="pappus down, pappus up"):
        labeler.send(get_labels())


async def test_before_the_first_promotion_there_is_no_champion() -> None:
    async with api(lambda _: httpx2.Response(404, json={"error": "model_unknown", "detail": "None yet."})) as labeler:
        assert await labeler.send(get_champion()) is None


def test_the_token_goes_with_every_request_after_the_login() -> None:
    seen: list[str | None] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers.get("Authorization"))
        session = {"token": "t", "name": "anna", "role": "labeler", "expires_at": "2026-05-04T12:00:00Z"}
        return httpx2.Response(200, json=session if request.url.path == "/login" else LABELS)

    labeler = BlockingApi("http://api", 5, httpx2.MockTransport(answer))
    labeler.authenticate(labeler.send(log_in("anna", "right")).token)
    labeler.send(get_labels())
    assert seen == [None, "Bearer t"]


def test_the_blocking_client_never_retries() -> None:
    restarting = Restarting()
    predictor = BlockingApi("http://api", 5, httpx2.MockTransport(restarting))
    with pytest.raises(ApiUnreachable):
        predictor.send(predict(b"an image"))
    assert len(restarting.requests) == 1
