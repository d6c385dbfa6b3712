"""Bodies of JSON are read by the types of JSON."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx2
import pytest
from pydantic import AwareDatetime, BaseModel, Field, SecretStr

from shared.http.api import Api
from shared.http.bodies import JsonBody, read_json

IMAGE = UUID(int=7)


class Box(BaseModel):
    """A part of a body."""

    share: float = 0.5


class Order(BaseModel):
    """A body with a field of each type."""

    revision: int = Field(ge=0)
    later: bool = False
    share: float | None = None
    name: str = ""
    secret: SecretStr = SecretStr("")
    image_id: UUID = IMAGE
    at: AwareDatetime | None = None
    parts: tuple[Box, ...] = ()


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx2.AsyncClient]:
    @api.post("/order")
    async def order(body: JsonBody[Order]) -> Order:
        return body

    transport = httpx2.ASGITransport(api, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as opened:
        yield opened


async def sent(client: httpx2.AsyncClient, body: str) -> httpx2.Response:
    """Send it, as it is."""
    return await client.post("/order", content=body.encode(), headers={"Content-Type": "application/json"})


async def test_a_body_is_what_it_says(client: httpx2.AsyncClient) -> None:
    text = (
        f'{{"revision": 2, "share": 1, "image_id": "{IMAGE}", "at": "2026-01-02T03:04:05Z", "parts": [{{"share": 1}}]}}'
    )
    came = (await sent(client, text)).json()

    assert (came["revision"], came["share"], came["at"]) == (2, 1.0, "2026-01-02T03:04:05Z")
    assert (came["image_id"], came["parts"]) == (str(IMAGE), [{"share": 1.0}])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("revision", value) for value in ("false", "true", '"0"', "null", "0.5", "1e400", "NaN", "[]")),
        *(("later", value) for value in ("0", "1", '"true"', '"off"', "null", "0.0")),
        *(("share", value) for value in ('"0.5"', "true", "[0]")),
        *(("name", value) for value in ("1", "true", "null")),
        *(("secret", value) for value in ("1", "false")),
        *(("image_id", value) for value in ("7", "[]", '"7"')),
        *(("at", value) for value in ("1700000000", "true", '"yesterday"')),
        *(("parts", value) for value in ('[{"share": "1"}]', '[{"share": true}]', "{}", "[[]]")),
    ],
)
async def test_a_value_of_another_type_is_refused_by_its_field(
    client: httpx2.AsyncClient, field: str, value: str
) -> None:
    refused = await sent(client, f'{{"revision": 1, "{field}": {value}}}')

    assert (refused.status_code, refused.json()["error"]) == (422, "invalid_request")
    assert refused.json()["detail"].startswith(f"body.{field}"), refused.json()["detail"]


@pytest.mark.parametrize("whole", ["1.0", "10e-1", "1"])
async def test_an_integer_may_be_written_with_a_fraction_of_zero(client: httpx2.AsyncClient, whole: str) -> None:
    assert (await sent(client, f'{{"revision": {whole}}}')).json()["revision"] == 1


@pytest.mark.parametrize("body", ["[]", "null", "1", '"x"', "{", "", "{}", '{"revision": 1, "name": "\\ud800"}'])
async def test_what_is_no_such_object_is_422(client: httpx2.AsyncClient, body: str) -> None:
    assert (await sent(client, body)).status_code == 422


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "application/x-www-form-urlencoded", ""])
async def test_what_is_not_sent_as_json_is_422(client: httpx2.AsyncClient, kind: str) -> None:
    refused = await client.post("/order", content=b'{"revision": 1}', headers={"Content-Type": kind})
    assert (refused.status_code, refused.json()["error"]) == (422, "invalid_request")


@pytest.mark.parametrize("depth", [150, 500, 900, 20_000])
async def test_no_depth_is_a_bug(client: httpx2.AsyncClient, depth: int) -> None:
    for body in ("[" * depth + "]" * depth, '{"revision": 1, "more": ' + "[" * depth + "]" * depth + "}"):
        assert (await sent(client, body)).status_code in (200, 400, 413, 422)


async def test_the_description_is_that_of_the_model(api: Api, client: httpx2.AsyncClient) -> None:
    described: dict[str, Any] = (await client.get("/openapi.json")).json()
    body = described["paths"]["/order"]["post"]["requestBody"]
    assert body["content"] == {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}
    assert described["components"]["schemas"]["Order"]["properties"]["revision"]["type"] == "integer"


def test_the_same_holds_for_a_value_that_a_route_has_read_itself() -> None:
    assert read_json(Order, {"revision": 3.0}).revision == 3
    with pytest.raises(ValueError, match="valid integer"):
        read_json(Order, {"revision": True})
