"""Whether a picture is stored already is asked before an upload; nothing is stored."""

from hashlib import sha256
from typing import Any

import cv2
import httpx2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.ingestor.decisions.images import Acceptance, AcceptedImage, examine
from services.labeler.decisions.likeness import FARTHEST_BITS, likeness_of
from services.labeler.settings import LabelerSettings
from shared.contract.events import ImageRegistered, ImageStored
from shared.testing import image_stored, image_withdrawn
from tests.unit.labeler.test_likeness import bits, encoded, photograph

from .conftest import Labeler


def smaller(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture in a smaller size, and of another form."""
    return np.asarray(cv2.resize(pixels, (130, 98), interpolation=cv2.INTER_AREA), np.uint8)


async def store(labeler: Labeler, data: bytes) -> ImageStored:
    """Store an image as the ingestor does, with what it finds out about it."""
    facts = examine(data, Acceptance())
    assert isinstance(facts, AcceptedImage)
    event = image_stored(
        sha256=facts.sha256,
        object_key=facts.object_key,
        perceptual_hash=facts.perceptual_hash,
        pixels_sha256=facts.pixels_sha256,
    )
    await labeler.store.put(event.object_key, data)
    await labeler.publish(event)
    return event


async def ask(labeler: Labeler, data: bytes, who: str = "anna") -> httpx2.Response:
    async with labeler.client(who) as client:
        return await client.post("/check_duplicate", files={"file": ("photo.jpg", data)})


async def answer(labeler: Labeler, data: bytes) -> dict[str, Any]:
    response = await ask(labeler, data)
    assert response.status_code == 200, response.text
    return dict(response.json())


NONE = {"duplicate": False, "kind": None, "image_id": None, "distance": None}


async def test_equal_bytes_and_equal_pixels_are_found(labeler: Labeler) -> None:
    data = encoded(photograph(1))
    assert await answer(labeler, data) == NONE
    event = await store(labeler, data)
    found = {"duplicate": True, "image_id": str(event.image_id), "distance": 0}
    assert await answer(labeler, data) == {**found, "kind": "bytes"}
    assert await answer(labeler, encoded(photograph(1), "BMP")) == {**found, "kind": "pixels"}
    assert await answer(labeler, encoded(photograph(2))) == NONE
    assert labeler.event_log.events(ImageRegistered) == []


@pytest.mark.parametrize(
    "form",
    [
        lambda pixels: encoded(pixels, "JPEG", quality=60),
        lambda pixels: encoded(smaller(pixels), "WEBP", quality=70),
        lambda pixels: encoded(pixels[:, ::-1], "JPEG", quality=85),
    ],
    ids=["encoded again", "resized", "mirrored"],
)
async def test_the_same_picture_in_another_form_is_similar(labeler: Labeler, form: Any) -> None:
    for seed in range(1, 6):
        await store(labeler, encoded(photograph(seed)))
    event = await store(labeler, encoded(photograph(0)))
    found = await answer(labeler, form(photograph(0)))
    assert (found["duplicate"], found["kind"], found["image_id"]) == (True, "similar", str(event.image_id))
    assert 0 <= found["distance"] <= 12


async def test_equal_hashes_alone_are_no_duplicate(labeler: Labeler) -> None:
    await store(labeler, encoded(photograph(1)))
    grey = photograph(1) // 4 + 150  # the same waves, in other levels
    one, other = (likeness_of(encoded(pixels)).hashes[0] for pixels in (photograph(1), grey))
    assert bits(one, other) <= FARTHEST_BITS
    assert await answer(labeler, encoded(grey)) == NONE


async def test_a_candidate_whose_bytes_are_gone_is_passed_over(labeler: Labeler) -> None:
    event = await store(labeler, encoded(photograph(1)))
    await labeler.store.delete(event.object_key)
    assert await answer(labeler, encoded(photograph(1), "JPEG")) == NONE


async def test_an_image_that_was_taken_back_is_no_duplicate_and_its_bytes_say_so(labeler: Labeler) -> None:
    data = encoded(photograph(1))
    event = await store(labeler, data)
    await labeler.publish(image_withdrawn(image_id=event.image_id, sha256=sha256(data).hexdigest()))
    refused = await ask(labeler, data)
    assert (refused.status_code, refused.json()["error"]) == (410, "image_withdrawn")
    assert await answer(labeler, encoded(photograph(1), "BMP")) == NONE
    assert await answer(labeler, encoded(photograph(1), "JPEG")) == NONE


@pytest.mark.parametrize(("data", "error"), [(b"", "empty"), (b"no picture", "not_an_image")])
async def test_what_is_no_image_is_refused_as_an_upload_is(labeler: Labeler, data: bytes, error: str) -> None:
    refused = await ask(labeler, data)
    assert (refused.status_code, refused.json()["error"]) == (422, error)


async def test_who_only_uploads_may_ask(labeler: Labeler) -> None:
    await labeler.tables.execute("UPDATE users SET role = 'uploader' WHERE name = 'berta'")
    assert (await ask(labeler, encoded(photograph(1)), "berta")).status_code == 200


class TestWithALowLimit:
    @pytest.fixture
    def settings(self, settings: LabelerSettings) -> LabelerSettings:
        return LabelerSettings.model_validate({**dict(settings), "upload_limit_bytes": 100})

    async def test_a_large_file_is_refused(self, labeler: Labeler) -> None:
        assert (await ask(labeler, encoded(photograph(1)))).status_code == 413
