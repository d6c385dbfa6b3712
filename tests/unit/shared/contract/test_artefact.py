import json
from uuid import UUID

import pytest

from shared.contract.artefact import ArtefactMetadata
from shared.runtime.errors import InvalidMessage

METADATA = ArtefactMetadata(
    labels=("dandelion", "grass"),
    backbone_kind="patches",
    backbone_id="ab" * 32,
    manifest_sha256="cd" * 32,
    input_size=96,
    kappa=10.0,
    corrections=((UUID(int=1), 3), (UUID(int=2), 1)),
)


def test_metadata_survives_its_text() -> None:
    assert ArtefactMetadata.from_json(METADATA.to_json()) == METADATA


def test_fields_of_a_later_writer_are_ignored() -> None:
    text = json.dumps({**json.loads(METADATA.to_json()), "colour": "green"})
    assert ArtefactMetadata.from_json(text) == METADATA


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"labels": 3}', '{"corrections": [["x", 1]]}'])
def test_what_is_no_metadata_is_refused(text: str) -> None:
    with pytest.raises(InvalidMessage):
        ArtefactMetadata.from_json(text)


def test_a_newer_format_is_refused_with_advice() -> None:
    text = json.dumps({**json.loads(METADATA.to_json()), "format_version": 99})
    with pytest.raises(InvalidMessage, match="Update it"):
        ArtefactMetadata.from_json(text)
