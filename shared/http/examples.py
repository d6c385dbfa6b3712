"""The examples in the description of an API: what each operation is asked with, and what it answers.

They stand beside the routes, not in them: together they tell one story, and a test sends each of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi.encoders import jsonable_encoder

from shared.http.limits import too_large, too_slow
from shared.http.problems import MEDIA_TYPE, Problem, problem_document

JSON = "application/json"
OF_EVERY_API = (
    Problem(400, "body_cut", "The connection ended before the body. Send the request again."),
    Problem(
        403,
        "foreign_origin",
        "A page of another site sent this request. Send it from this server's own pages, or by a program.",
    ),
    too_slow(),
    too_large(20_000_000),
    Problem(
        415,
        "not_multipart",
        "Send the image as field 'file' of a multipart/form-data form, not as 'application/json'.",
    ),
    Problem(421, "unknown_host", "This server does not answer as 'plants.example'. Add the name to PAPPUS_HTTP_HOSTS."),
    Problem(
        500,
        "internal_error",
        "The service failed on this request because of a bug; its log says why. Report it. Other requests go on.",
    ),
    Problem(503, "unavailable", "Kafka did not answer in time. Send the request again."),
)
MEANINGS = {
    400: "The body cannot be read",
    401: "The login or the key is missing, wrong or out of date",
    403: "The role of the user, or the page that sent the request, is not allowed to do this",
    404: "It does not exist",
    408: "The body came too slowly",
    409: "The state of the image does not allow it",
    410: "It was taken back: the detail says by whom, and why",
    413: "The body is too large",
    415: "The body is not of a kind that is read here",
    421: "The request names a host that this server does not answer as",
    422: "The request, or the image in it, is not what the API takes",
    429: "Too many requests or logins; the header Retry-After says when to ask again",
    500: "A bug; the log of the service says more",
    503: "A part that is needed is away or busy; the header Retry-After says when to ask again",
}
"""What a status means here, in words."""


@dataclass(frozen=True, slots=True)
class Example:
    """What one operation is asked with, and what it answers.

    `parameters`: those of path and query, by name. `body`: the fields of the body, JSON or form, of the first kind that
    is described; a file is named by its path below /docs/. `answers`: the body of each success, by status; bytes have
    none. `problems`: those that only this operation has, or words differently.
    """

    answers: Mapping[int, object] = field(default_factory=dict)
    parameters: Mapping[str, object] = field(default_factory=dict)
    body: Mapping[str, object] | None = None
    problems: Sequence[Problem] = ()


def declare_examples(openapi: dict[str, Any], examples: Mapping[str, Example], problems: Sequence[Problem]) -> None:
    """Write the examples into an OpenAPI document, by operationId; `problems` are those of all its operations.

    Raises:
        KeyError: an example names an operation, a parameter, a field or a status that is not described.
    """
    operations = {each["operationId"]: each for path in openapi["paths"].values() for each in path.values()}
    for operation in operations.values():
        _declare_problems(operation, (*OF_EVERY_API, *problems))
    for name, example in examples.items():
        operation = operations[name]
        _declare_request(openapi, operation, example)
        for status, answer in example.answers.items():
            operation["responses"][str(status)]["content"][JSON]["example"] = jsonable_encoder(answer)
        for problem in example.problems:
            operation["responses"][str(problem.status_code)]["content"][MEDIA_TYPE]["example"] = _document(problem)


def _declare_problems(operation: dict[str, Any], problems: Sequence[Problem]) -> None:
    """Say what each status means, and show the problems."""
    documents = {str(problem.status_code): _document(problem) for problem in problems}
    for status, response in operation["responses"].items():
        if response["description"] == "Successful Response":
            response["description"] = "Success"
        if status >= "400":
            response["description"] = MEANINGS[int(status)]
        if status >= "400" and status in documents and MEDIA_TYPE in response["content"]:
            response["content"][MEDIA_TYPE]["example"] = documents[status]


def _declare_request(openapi: dict[str, Any], operation: dict[str, Any], example: Example) -> None:
    described = {parameter["name"]: parameter for parameter in operation.get("parameters", ())}
    for name, value in example.parameters.items():
        described[name]["example"] = jsonable_encoder(value)
    if example.body is None:
        return
    media_type, content = next(iter(operation["requestBody"]["content"].items()))
    content["example"] = body = jsonable_encoder(example.body)
    if media_type != JSON:  # of a form, Swagger UI shows the examples of the fields
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        schema = openapi["components"]["schemas"][name] if name else content["schema"]
        for field_name, value in body.items():
            schema["properties"][field_name]["example"] = value


def _document(problem: Problem) -> object:
    return jsonable_encoder(problem_document(problem))
