"""The examples of the API's description run, in a world in which their story has happened."""

import hashlib
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from services.labeler.accounts.users import Users
from services.labeler.accounts.users_file import read_users
from services.labeler.api.examples.webhooks import WEBHOOK
from shared.contract.events import ImageRegistered
from shared.testing import drift_detected, image_stored, model_promoted, model_trained
from tests.examples import operations, send_examples

from .conftest import Labeler, token
from .test_model_history import store_manifest


@pytest.fixture
async def document(labeler: Labeler) -> dict[str, Any]:
    """The description of the running API."""
    async with labeler.client() as client:
        return dict((await client.get("/openapi.json")).json())


def body_of(document: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the example of a request's body."""
    (content,) = document["paths"][path]["post"]["requestBody"]["content"].values()
    return dict(content["example"])


def image_id_of(document: dict[str, Any]) -> str:
    """Return the image that the examples are about."""
    found = {
        parameter["example"]
        for operation in operations(document)
        for parameter in operation.parameters
        if parameter["name"] == "image_id"
    }
    assert len(found) == 1
    return str(found.pop())


@pytest.fixture
async def story(labeler: Labeler, document: dict[str, Any], tmp_path: Path) -> None:
    """The users of the examples, the image as `labeler` uploaded it, and two models."""
    login = body_of(document, "/login")
    people = [{**login, "role": "labeler"}, {**login, "name": "operator", "role": "operator"}]
    path = tmp_path / "people.json"
    path.write_text(json.dumps(people))
    users: Users = labeler.app.state.service.users
    assert await users.set_all(read_users(path), labeler.clock()) == []
    await labeler.tables.execute(
        """INSERT INTO users (name, role, password_hash, sessions_from, made_by)
           SELECT 'maria', 'admin', password_hash, sessions_from, 'labeler' FROM users WHERE name = 'operator'"""
    )
    labeler.tokens = {name: token(name) for name in ("labeler", "operator", "maria")}
    async with labeler.client() as client:
        picture = (await client.get("/docs/dandelion.png")).content
    sha256 = hashlib.sha256(picture).hexdigest()
    image = image_stored(
        image_id=image_id_of(document), sha256=sha256, image_format="png", trust="claimed", registered_by="labeler"
    )
    await labeler.store.put(image.object_key, picture)
    await labeler.tables.execute(
        """INSERT INTO webhooks (webhook_id, url, types, secret, made_by, made_at, delivered, stopped_at)
           VALUES ($1, 'https://hooks.example/', '{}', 'whsec_', 'operator', now(), 0, now())""",
        WEBHOOK,
    )
    versions = {body_of(document, f"/models/{action}")["version"] for action in ("rollback", "approve", "override")}
    manifest = await store_manifest(labeler, (image.image_id, "dandelion", "train"))
    trained = [model_trained(version=version, **manifest) for version in sorted(versions)]
    promoted = model_promoted(version=trained[0].version, sequence=1)
    await labeler.publish(image, *trained, promoted, drift_detected(statistic="features"))


@pytest.mark.usefixtures("no_waiting", "story")
async def test_each_example_is_answered_as_the_document_says(labeler: Labeler, document: dict[str, Any]) -> None:
    async with labeler.client() as client:
        asked = await send_examples(client, {"Authorization": f"Bearer {labeler.tokens['maria']}"})

    assert asked == [str(operation) for operation in operations(document)]
    assert len(asked) > 18


@pytest.mark.usefixtures("no_waiting")
async def test_the_example_upload_makes_the_image_of_the_other_examples(
    labeler: Labeler, document: dict[str, Any]
) -> None:
    insert = "INSERT INTO users (name, role, password_hash) VALUES ('labeler', 'labeler', '')"
    await labeler.tables.execute(insert)
    labeler.tokens["labeler"] = token("labeler")
    fields = body_of(document, "/images")
    async with labeler.client("labeler") as client:
        picture = (await client.get(f"/docs/{fields['file']}")).content
        file = {"file": (fields.pop("file"), picture)}
        answer = await client.post("/images", data=fields, files=file)

    assert answer.status_code == 202, answer.text
    assert answer.json()["image_id"] == image_id_of(document)
    [event] = labeler.event_log.events(ImageRegistered)
    assert (str(event.image_id), event.label) == (image_id_of(document), "dandelion")
    assert Image.open(BytesIO(picture)).size == (144, 144)
