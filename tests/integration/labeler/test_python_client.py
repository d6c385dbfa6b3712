"""`pappus.client` against the real API."""

import asyncio
from collections.abc import Callable
from hashlib import sha256
from typing import TypeVar
from uuid import UUID

import httpx2
import pytest

from pappus.client import ApiProblem, BulkCorrection, ImageFilter, Pappus
from shared.clients.answers import AcceptedImage, Applied
from shared.testing import image_stored

from .conftest import PASSWORDS, Labeler
from .predictor_in_tests import given
from .test_uploads import ingestor as ingestor

T = TypeVar("T")


class Bridge(httpx2.BaseTransport):
    """Sends the requests of a blocking client to an application that runs in an event loop."""

    def __init__(self, labeler: Labeler, loop: asyncio.AbstractEventLoop) -> None:
        self._labeler = labeler
        self._loop = loop

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        async def send() -> httpx2.Response:
            async with self._labeler.client() as client:
                content, headers = request.read(), request.headers
                return await client.request(request.method, str(request.url), content=content, headers=headers)

        answer = asyncio.run_coroutine_threadsafe(send(), self._loop).result(60)
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)


@pytest.fixture
async def pappus(labeler: Labeler, people: None) -> Pappus:
    transport = Bridge(labeler, asyncio.get_running_loop())
    return Pappus("http://labeler", name="anna", password=PASSWORDS["anna"], transport=transport)


async def work(done: Callable[[], T]) -> T:
    """Run blocking code while the API answers."""
    return await asyncio.to_thread(done)


async def test_images_are_listed_corrected_and_followed(
    labeler: Labeler, pappus: Pappus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pappus.client.MAX_LISTED", 2)
    monkeypatch.setattr("pappus.client.MAX_BULK", 2)
    monkeypatch.setattr("pappus.client.MAX_EVENTS", 2)
    stored = [image_stored(label="dandelion") for _ in range(5)]
    await labeler.publish(*stored)

    listed = await work(lambda: list(pappus.images(ImageFilter(label=["dandelion"]))))
    first, *others = listed
    done = await work(lambda: pappus.correct(first.image_id, "grass", reason="a test"))
    outcomes = await work(
        lambda: list(pappus.correct_all(BulkCorrection(each.image_id, 0, "grass") for each in others))
    )
    history = await work(lambda: pappus.history(first.image_id))
    events = await work(lambda: list(pappus.events(types=["label.corrected"])))
    later = await work(lambda: list(pappus.events(events[-1].number)))

    assert sorted(each.image_id for each in listed) == sorted(each.image_id for each in stored)
    assert isinstance(done, Applied)
    assert (done.label, done.revision) == ("grass", 1)
    assert [(each.image_id, each.outcome) for each in outcomes] == [(each.image_id, "applied") for each in others]
    assert history[-1].reason == "a test"
    assert events[0].image_id == first.image_id
    assert {each.image_id for each in events[1:]} == {each.image_id for each in others}
    assert len(events) == len(listed)
    assert later == []
    assert await work(lambda: (pappus.models(), pappus.champion())) == ([], None)


async def test_who_saw_an_older_label_is_told_which_holds_now(labeler: Labeler, pappus: Pappus) -> None:
    stored = image_stored(label="dandelion")
    await labeler.publish(stored)
    await labeler.correct("berta", stored.image_id, "grass", 0)

    with pytest.raises(ApiProblem) as refused:
        await work(lambda: pappus.correct(stored.image_id, "dandelion", revision=0))

    assert (refused.value.code, refused.value.members["label"]) == ("superseded", "grass")


@pytest.mark.usefixtures("no_waiting")
async def test_the_same_bytes_again_are_the_same_image(labeler: Labeler, pappus: Pappus) -> None:
    found: list[UUID] = []
    for _ in range(2):
        answer = await work(lambda: pappus.upload(b"no picture, but it is not looked at yet", name="a.jpg"))
        assert isinstance(answer, AcceptedImage)
        found.append(answer.image_id)

    assert found[0] == found[1]


@pytest.mark.usefixtures("ingestor")
async def test_an_answer_is_corrected_and_its_image_sent_if_it_is_needed(labeler: Labeler, pappus: Pappus) -> None:
    picture = b"a picture that was asked about"
    prediction_id = labeler.predictor.knows(given(sha256(picture).hexdigest()))
    with pytest.raises(ApiProblem) as refused:
        await work(lambda: pappus.correct_answer(prediction_id, "grass"))
    assert refused.value.code == "image_needed"
    done = await work(lambda: pappus.correct_answer(prediction_id, "grass", reason="No petals.", image=picture))
    assert (done.state, done.label, done.revision) == ("applied", "grass", 1)
    wrong = await work(lambda: pappus.correct_answer(prediction_id))
    assert (wrong.state, wrong.label, wrong.revision) == ("applied", "grass", 2)
