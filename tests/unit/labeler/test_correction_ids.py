"""One event id stands for one correction."""

from uuid import UUID, uuid4

import pytest

from services.labeler.commands.corrections import correction_id

IMAGE = uuid4()
FIRST = correction_id("anna", "k1", IMAGE, 1, "grass")


def test_the_same_request_is_the_same_event() -> None:
    assert correction_id("anna", "k1", UUID(str(IMAGE)), 1, "grass") == FIRST


@pytest.mark.parametrize(
    "other",
    [
        correction_id("berta", "k1", IMAGE, 1, "grass"),
        correction_id("anna", "k2", IMAGE, 1, "grass"),
        correction_id("anna", "k1", uuid4(), 1, "grass"),
        correction_id("anna", "k1", IMAGE, 2, "grass"),
        correction_id("anna", "k1", IMAGE, 1, "dandelion"),
    ],
    ids=["person", "key", "image", "revision", "label"],
)
def test_every_other_correction_is_another_event(other: UUID) -> None:
    assert other != FIRST
