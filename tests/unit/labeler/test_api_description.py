"""The description of the labeler's API."""

import re
from contextlib import nullcontext
from typing import Any

import pytest

from services.labeler.api.app import create_app
from services.labeler.api.session import LOGIN, OPTIONS, TOKEN
from services.labeler.api.sign_on import ANSWER, BEGIN
from services.labeler.settings import LabelerSettings
from shared.http.allowed_methods import allowed_methods
from shared.http.api import Api
from shared.runtime.health import Health
from shared.testing import MemoryEventLog, MemoryObjectStore
from tests.examples import operations, wrong_examples

OPERATORS = {"rollback", "approve", "override", "freeze", "unfreeze", "train", "take_out_decision", "withdraw_image"}


PROVIDER = {
    "oidc_issuer": "https://id.example.org",
    "oidc_client_id": "pappus",
    "oidc_client_secret": "s",
    "oidc_redirect_url": "https://pappus.example.org/oidc/callback",
    "oidc_default_role": "labeler",
}


def api(*labels: str, **more: str) -> Api:
    """Return the application of an installation with these labels, and more settings."""
    values = {"session_secret": "a secret of at least thirty-two bytes", "labels": labels, **more}
    settings = LabelerSettings.model_validate(values)
    return create_app(settings, MemoryEventLog(), lambda: nullcontext(MemoryObjectStore()), Health())


def described(*labels: str, **more: str) -> dict[str, Any]:
    """Return its description."""
    return api(*labels, **more).openapi()


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """With a provider: then there are more routes than without."""
    return described("dandelion", "grass", **PROVIDER)


def test_routes_of_a_provider_are_described_where_there_is_one(document: dict[str, Any]) -> None:
    without = described("dandelion", "grass")["paths"]
    assert document["paths"].keys() - without.keys() == {BEGIN, ANSWER, "/people/join"}


def test_every_error_is_declared_as_a_problem_document(document: dict[str, Any]) -> None:
    responses = [each.described["responses"] for each in operations(document)]
    errors = [response for found in responses for status, response in found.items() if status >= "400"]

    assert len(responses) > 10
    assert all({"500", "503"} <= set(found) for found in responses)
    assert all(list(response["content"]) == ["application/problem+json"] for response in errors)


def test_all_but_the_logins_need_a_login_and_say_so(document: dict[str, Any]) -> None:
    for operation in operations(document):
        public = operation.path in (LOGIN, TOKEN, OPTIONS, BEGIN, ANSWER)
        assert operation.described.get("security") == (None if public else [{"login": []}]), str(operation)
        assert public or "401" in operation.described["responses"], str(operation)
        if operation.described["operationId"] in OPERATORS:
            assert "403" in operation.described["responses"], str(operation)
            assert "`operator`" in operation.described["description"], str(operation)


def test_the_button_of_the_page_logs_in_with_name_and_password(document: dict[str, Any]) -> None:
    assert list(document["components"]["securitySchemes"]) == ["login"]
    flows = document["components"]["securitySchemes"]["login"]["flows"]
    assert flows == {"password": {"scopes": {}, "tokenUrl": TOKEN.lstrip("/")}}


def test_every_operation_has_a_summary_a_known_tag_and_right_examples(document: dict[str, Any]) -> None:
    assert wrong_examples(document) == []
    tags = [tag["name"] for tag in document["tags"]]
    for operation in operations(document):
        assert operation.described["summary"][0].isupper(), str(operation)
        assert operation.described["description"].endswith("."), str(operation)
        assert operation.described["tags"][0] in tags, str(operation)


def test_an_optional_header_is_text_and_never_null(document: dict[str, Any]) -> None:
    found = {each["name"]: each for operation in operations(document) for each in operation.parameters}
    key = found["Idempotency-Key"]
    assert (key["required"], key["schema"]["type"]) == (False, "string")
    assert found["if-none-match"]["schema"] == {"type": "string"}


@pytest.mark.parametrize("labels", [("cat", "dog"), ("oak", "ash", "elm")])
def test_the_examples_use_the_labels_of_the_installation(labels: tuple[str, ...]) -> None:
    document = described(*labels)
    assert wrong_examples(document) == []
    (upload,) = document["paths"]["/images"]["post"]["requestBody"]["content"].values()
    (correction,) = document["paths"]["/images/{image_id}/label"]["post"]["requestBody"]["content"].values()
    shown = document["paths"]["/labels"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    assert upload["example"]["label"] == correction["example"]["label"] == labels[0]
    assert shown["labels"] == list(labels)


def test_a_refused_method_would_be_told_all_that_its_path_has() -> None:
    app = api("dandelion", "grass", **PROVIDER)
    for path, operations_of_path in app.openapi()["paths"].items():
        concrete = re.sub(r"\{.*?\}", "a", path)
        allowed = allowed_methods({"app": app, "path": concrete, "method": "TRACE"}, {}).split(", ")
        assert allowed == sorted(method.upper() for method in operations_of_path), path
