"""The typed client of the pages and the command, against the real API."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx2
import pytest

from shared.clients.answers import Accepted, Applied
from shared.clients.api import AsyncApi
from shared.clients.errors import ApiProblem
from shared.clients.labeler import (
    ask_gate,
    correct_label,
    find_images,
    get_champion,
    get_history,
    get_image,
    get_image_content,
    get_labels,
    get_review_queue,
    list_models,
    log_in,
    request_training,
    upload_image,
)
from shared.testing import image_stored, model_promoted, model_trained

from .conftest import PASSWORDS, Labeler


@pytest.fixture
async def olga(labeler: Labeler) -> AsyncIterator[AsyncApi]:
    """The client of an operator."""
    async with AsyncApi("http://labeler", transport=httpx2.ASGITransport(labeler.app)) as api:
        api.authenticate(labeler.tokens["olga"])
        yield api


@pytest.mark.usefixtures("people")
async def test_a_login_authenticates_later_requests(labeler: Labeler) -> None:
    async with AsyncApi("http://labeler", 0, httpx2.ASGITransport(labeler.app)) as api:
        with pytest.raises(ApiProblem, match="401"):
            await api.send(get_labels())
        session = await api.send(log_in("anna", PASSWORDS["anna"]))
        api.authenticate(session.token)
        assert (await api.send(get_labels())).labels == ("dandelion", "grass")
    assert (session.name, session.role) == ("anna", "labeler")


async def test_a_stored_image_is_found_read_and_corrected(labeler: Labeler, olga: AsyncApi) -> None:
    stored = image_stored()
    labeler.store.objects[stored.object_key] = b"the bytes"
    await labeler.publish(stored)

    [found] = await olga.send(find_images(stored.sha256))
    queue = await olga.send(get_review_queue(1))
    content = await olga.send(get_image_content(found.image_id))
    done = await olga.send(correct_label(found.image_id, "grass", found.revision, reason="a test"))
    history = await olga.send(get_history(found.image_id))

    assert [item.image_id for item in queue.items] == [found.image_id]
    assert content == b"the bytes"
    assert isinstance(done, Applied)
    assert [entry.label_to for entry in history] == [found.label, "grass"]
    assert history[1].event_id == done.event_id
    assert (await olga.send(get_image(found.image_id))).corrected_by == "olga"


async def test_a_superseded_correction_is_a_problem_with_the_current_label(labeler: Labeler, olga: AsyncApi) -> None:
    stored = image_stored()
    await labeler.publish(stored)
    await labeler.correct("anna", stored.image_id, "grass", 0)

    with pytest.raises(ApiProblem) as caught:
        await olga.send(correct_label(stored.image_id, "dandelion", 0))

    problem = caught.value
    assert (problem.status, problem.code) == (409, "superseded")
    assert (problem.members["label"], problem.members["revision"]) == ("grass", 1)
    assert problem.detail.startswith("anna was first")


@pytest.mark.usefixtures("no_waiting")
async def test_commands_that_are_not_projected_in_time_are_accepted(labeler: Labeler, olga: AsyncApi) -> None:
    uploaded = await olga.send(upload_image("flower.jpg", b"a picture"))
    asked = await olga.send(ask_gate("freeze", "a test"))
    training = await olga.send(request_training("a test"))

    assert isinstance(uploaded, Accepted)
    assert isinstance(asked, Accepted)
    assert len({uploaded.event_id, asked.event_id, training.event_id}) == 3


async def test_the_champion_is_none_before_the_first_promotion(labeler: Labeler, olga: AsyncApi) -> None:
    assert await olga.send(get_champion()) is None
    await labeler.publish(model_trained(version="v1"), model_promoted(version="v1", sequence=1))

    champion = await olga.send(get_champion())

    assert champion is not None
    assert (champion.version, champion.frozen) == ("v1", False)
    assert [model.version for model in await olga.send(list_models())] == ["v1"]


async def test_an_unknown_image_is_a_problem(olga: AsyncApi) -> None:
    with pytest.raises(ApiProblem, match="There is no image") as caught:
        await olga.send(get_image(uuid4()))
    assert (caught.value.status, caught.value.code) == (404, "image_unknown")
