"""Who takes part in the story, and what it is about."""

import hashlib
from datetime import UTC, datetime
from uuid import UUID

from services.labeler.commands.uploads import upload_id
from shared.http.problems import Problem
from shared.imaging.drawing import draw_dandelion

USER, OPERATOR, ADMIN, NEWCOMER = "labeler", "operator", "maria", "nina"
PASSWORD = "a long password"  # noqa: S105 - an example
VERSION, FORMER = "fast-3f9c2a71b0de", "full-8d1e5c07a94b"
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
NO_MODEL = Problem(404, "model_unknown", f"There is no model {VERSION!r}. `pappus history` lists them.")


def example_sha256() -> str:
    """Return the hash of the example picture."""
    return hashlib.sha256(draw_dandelion()).hexdigest()


def example_image_id() -> UUID:
    """Return the image id that the example picture has after `labeler` uploaded it without an Idempotency-Key."""
    return upload_id(USER, example_sha256(), None)
