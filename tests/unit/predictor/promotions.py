"""Promotions for tests."""

from datetime import UTC, datetime

from shared.contract.events import ModelPromoted, uuid_of
from tests.unit.predictor.small_model import sha256_of

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


def promotion(
    sequence: int, artefact: bytes | None = None, version: str | None = None, cause: str = ""
) -> ModelPromoted:
    """Return promotion number `sequence` of version fast-<sequence>, whose artefact is `artefact` (or one that exists
    nowhere)."""
    name = version or f"fast-{sequence}"
    return ModelPromoted(
        event_id=uuid_of(ModelPromoted.topic, cause, name, sequence),
        occurred_at=NOON,
        model_name="plants",
        version=name,
        artefact_key=f"models/{name}/model.onnx",
        artefact_sha256=sha256_of(artefact if artefact is not None else name.encode()),
        sequence=sequence,
        replaces=None,
        lane="fast",
        route="non_inferior",
        summary="It is not worse.",
    )
