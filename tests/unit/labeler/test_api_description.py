"""The description of the labeler's API."""

from contextlib import nullcontext

from services.labeler.api.app import create_app
from services.labeler.settings import LabelerSettings
from shared.runtime.health import Health
from shared.testing import MemoryEventLog, MemoryObjectStore


def test_every_error_is_declared_as_a_problem_document() -> None:
    settings = LabelerSettings.model_validate({"session_secret": "a secret of at least thirty-two bytes"})
    app = create_app(settings, MemoryEventLog(), lambda: nullcontext(MemoryObjectStore()), Health())
    operations = [operation for path in app.openapi()["paths"].values() for operation in path.values()]
    errors = [(s, r) for o in operations for s, r in o["responses"].items() if s >= "400"]

    assert len(operations) > 10
    assert all({"401", "500", "503"} <= set(operation["responses"]) for operation in operations)
    assert all(list(response["content"]) == ["application/problem+json"] for _, response in errors)
