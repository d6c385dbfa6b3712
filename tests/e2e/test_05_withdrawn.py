"""A person asks for an image back: bytes, features and answers are gone, no model holds it, and it stays out."""

import json
from pathlib import Path

from pappus.demo.drawing import draw_tiles
from shared.contract.events import ImageWithdrawn
from shared.contract.image_scored import ImageScored
from shared.storage.object_store import S3ObjectStore
from shared.testing import eventually

from .demo_run import LIVE_SECONDS, Told, brought, readable

PICTURE = draw_tiles(71)
REASON = "The owner asks for it."


async def test_an_image_that_was_taken_back_is_gone_and_stays_out(told: Told, tmp_path: Path) -> None:
    before = (await told.answer(PICTURE)).label
    await told.correct_to_the_other(PICTURE)
    async with told.person() as person:
        image = await brought(person, PICTURE)
    objects = [f"{prefix}/{image.sha256[:2]}/{image.sha256}" for prefix in ("images/sha256", "uploads") if image.sha256]

    done = told.pappus("withdraw", str(image.image_id), "--yes", "--reason", REASON, "--json")
    again = told.pappus("withdraw", str(image.image_id), "--reason", "another")

    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["outcome"], answer["reason"]) == ("withdrawn", REASON)
    assert answer["held_by"], "the model that held its correction is named"
    assert (again.returncode, REASON in again.stdout) == (0, True), again.stderr
    await told.until_answered(PICTURE, before)
    why = told.pappus("why", str(image.image_id)).stdout
    assert f"Image {image.image_id} is withdrawn" in why

    async with told.store() as store:
        assert isinstance(store, S3ObjectStore)

        async def erased() -> bool:
            return not any([await store.versions(key) for key in objects])

        await eventually(erased, LIVE_SECONDS)
    for role, table in (("labeler", "predictions"), ("predictor", "predictions"), ("trainer", "usable_images")):
        rows = await told.rows(role, f"SELECT FROM {table} WHERE image_id = $1", image.image_id)
        assert rows == [], (role, table)

    async def answers_taken_back() -> bool:
        scored = [readable(record) for record in await told.records([ImageScored.topic])]
        about = [each for each in scored if isinstance(each, ImageScored) and each.image_id == image.image_id]
        return not about or about[-1].answer is None

    await eventually(answers_taken_back, LIVE_SECONDS)
    path = tmp_path / "picture.png"
    path.write_bytes(PICTURE)
    refused = told.pappus("correct", str(path), before)
    assert (refused.returncode, REASON.rstrip(".") in refused.stderr) == (1, True), refused.stderr
    events = [readable(record) for record in await told.records([ImageWithdrawn.topic])]
    assert [event.image_id for event in events if isinstance(event, ImageWithdrawn)].count(image.image_id) == 1
