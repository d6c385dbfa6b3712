"""Every error of an API is a problem document (RFC 9457)."""

import httpx2
import pytest
from pydantic import BaseModel

from shared.http.api import Api
from shared.http.problems import ProblemDocument, problem_responses

MEMBERS = {"type", "title", "status", "detail", "error"}


class OwnError(BaseModel):
    """What another protocol calls an error."""

    error: str


async def test_a_problem_has_the_standard_members_and_its_facts(client: httpx2.AsyncClient) -> None:
    response = await client.get("/problem")

    assert response.status_code == 409
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-extra"] == "1"
    assert response.json() == {
        "type": "urn:problem-type:pappus:superseded",
        "title": "Superseded",
        "status": 409,
        "detail": "Too late.",
        "error": "superseded",
        "revision": 3,
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/own", 409, "out_of_paper"),
        ("GET", "/busy", 429, "overloaded"),
        ("GET", "/away", 503, "unavailable"),
        ("GET", "/double?number=two", 422, "invalid_request"),
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/double", 405, "method_not_allowed"),
        ("GET", "/bug", 500, "internal_error"),
    ],
)
async def test_every_error_has_the_same_form(
    client: httpx2.AsyncClient, method: str, path: str, status: int, error: str
) -> None:
    response = await client.request(method, path)

    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert set(response.json()) == MEMBERS
    document = ProblemDocument.model_validate(response.json())
    assert (document.status, document.error, document.type) == (status, error, f"urn:problem-type:pappus:{error}")
    assert document.title
    assert document.detail


@pytest.mark.parametrize(("path", "seconds"), [("/away", 2), ("/busy", 7)])
async def test_what_may_succeed_later_says_when(client: httpx2.AsyncClient, path: str, seconds: int) -> None:
    assert (await client.get(path)).headers["retry-after"] == str(seconds)


async def test_a_refused_method_names_those_that_are_allowed(client: httpx2.AsyncClient) -> None:
    assert (await client.delete("/double")).headers["allow"] == "GET"


async def test_an_invalid_request_names_the_field(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/double?number=two")).json()["detail"].startswith("query.number: ")


async def test_a_bug_tells_the_client_nothing_of_the_inside(client: httpx2.AsyncClient) -> None:
    response = await client.get("/bug")

    assert "secret" not in response.text
    assert "log" in response.json()["detail"]


def test_the_description_declares_a_problem_for_each_error(api: Api) -> None:
    document = api.openapi()
    declared = {
        (path, status): response["content"]
        for path, operations in document["paths"].items()
        for operation in operations.values()
        for status, response in operation["responses"].items()
        if status >= "400"
    }

    assert {("/problem", "409"), ("/problem", "503"), ("/double", "422"), ("/trace", "500")} <= set(declared)
    reference = {"$ref": "#/components/schemas/ProblemDocument"}
    assert {tuple(content) for content in declared.values()} == {("application/problem+json",)}
    assert all(content["application/problem+json"]["schema"] == reference for content in declared.values())
    schemas = document["components"]["schemas"]
    assert set(schemas["ProblemDocument"]["required"]) == MEMBERS
    assert "HTTPValidationError" not in schemas
    assert api.openapi() == document


def test_an_error_with_a_form_of_its_own_keeps_it_in_the_description(api: Api) -> None:
    @api.get("/own-form", responses={404: {"model": OwnError}, **problem_responses(503)})
    async def own_form(number: int) -> None:
        return None

    described = api.openapi()["paths"]["/own-form"]["get"]["responses"]
    own = {"application/json": {"schema": {"$ref": "#/components/schemas/OwnError"}}}
    assert described["404"]["content"] == own
    assert {tuple(described[status]["content"]) for status in ("422", "500", "503")} == {("application/problem+json",)}
