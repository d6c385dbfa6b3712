"""The examples of an OpenAPI document run: each is there, fits its schema, and is answered as the document says."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

JSON = "application/json"
PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Operation:
    """One method of one path, and the document it stands in."""

    method: str
    path: str
    described: Mapping[str, Any]
    document: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def parameters(self) -> list[Mapping[str, Any]]:
        return list(self.described.get("parameters", ()))

    @property
    def body(self) -> tuple[str, Mapping[str, Any]] | None:
        """The media type of the request's body and what is said of it; None without a body."""
        content = self.described.get("requestBody", {}).get("content", {})
        return next(iter(content.items()), None)

    def invalid(self, value: object, schema: Mapping[str, Any]) -> list[str]:
        """Return why a value does not fit a schema of the document; empty if it does."""
        validator = Draft202012Validator({**schema, "components": self.document["components"]})
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    """Yield every operation in the order of the document."""
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            yield Operation(method, path, described, document)


def wrong_examples(document: Mapping[str, Any]) -> list[str]:
    """Return a line for each example that is missing or does not fit its schema."""
    return [f"{operation}: {line}" for operation in operations(document) for line in _wrong(operation)]


def _wrong(operation: Operation) -> Iterator[str]:
    for parameter in operation.parameters:
        if parameter["required"] and "example" not in parameter:
            yield f"the parameter {parameter['name']} has no example"
        if "example" in parameter:
            yield from operation.invalid(parameter["example"], parameter["schema"])
    if operation.body is not None:
        yield from _wrong_content(operation, "the body", operation.body[1])
    for status, response in operation.described["responses"].items():
        for media_type, content in response.get("content", {}).items():
            if media_type in (JSON, PROBLEM):
                yield from _wrong_content(operation, f"the answer {status}", content)


def _wrong_content(operation: Operation, what: str, content: Mapping[str, Any]) -> Iterator[str]:
    if "example" not in content:
        yield f"{what} has no example"
    else:
        yield from (f"{what}: {line}" for line in operation.invalid(content["example"], content["schema"]))


async def send_examples(client: httpx2.AsyncClient, headers: Mapping[str, str]) -> list[str]:
    """Send exactly the example of each operation, with `headers` where it needs a login, and once without them.

    Returns:
        The operations that were asked. Raises AssertionError if an answer is not as the document describes it.
    """
    document = (await client.get("/openapi.json")).json()
    wrong = wrong_examples(document)
    assert not wrong, "\n".join(wrong)
    asked = []
    for operation in operations(document):
        needs_login = bool(operation.described.get("security"))
        if needs_login:
            refused = await send(client, operation, {})
            assert refused.status_code == 401, f"{operation} without a login: {refused.text}"
            _check(operation, refused)
        answer = await send(client, operation, headers if needs_login else {})
        assert answer.is_success, f"{operation}: {answer.status_code} {answer.text}"
        _check(operation, answer)
        asked.append(str(operation))
    return asked


async def send(client: httpx2.AsyncClient, operation: Operation, headers: Mapping[str, str]) -> httpx2.Response:
    """Send the example of an operation."""
    found = {name: {} for name in ("path", "query", "header")}  # type: dict[str, dict[str, Any]]
    for parameter in operation.parameters:
        if "example" in parameter:
            found[parameter["in"]][parameter["name"]] = parameter["example"]
    return await client.request(
        operation.method.upper(),
        operation.path.format(**found["path"]),
        params=found["query"],
        headers={**found["header"], **headers},
        **await _body(client, operation),
    )


async def _body(client: httpx2.AsyncClient, operation: Operation) -> dict[str, Any]:
    if operation.body is None:
        return {}
    media_type, content = operation.body
    fields = dict(content["example"])
    if media_type == JSON:
        return {"json": fields}
    files = {}
    for name, schema in content["schema"].get("properties", {}).items():
        if schema.get("format") == "binary":
            picture = await client.get(f"/docs/{fields[name]}")
            assert picture.is_success, picture.text
            files[name] = (fields.pop(name), picture.content)
    return {"data": fields, "files": files} if files else {"data": fields}


def _check(operation: Operation, answer: httpx2.Response) -> None:
    """Assert that status, media type and body are described."""
    described = operation.described["responses"].get(str(answer.status_code))
    assert described is not None, f"{operation}: the status {answer.status_code} is not described"
    media_type = answer.headers["content-type"].partition(";")[0]
    content = described["content"].get(media_type) or described["content"].get(f"{media_type.partition('/')[0]}/*")
    assert content is not None, f"{operation}: {media_type} is not described"
    if media_type in (JSON, PROBLEM):
        assert operation.invalid(answer.json(), content["schema"]) == [], f"{operation}: {answer.text}"
    else:
        assert answer.content
