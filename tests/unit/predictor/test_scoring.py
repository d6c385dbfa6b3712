"""One image scored, without holding up the others."""

import asyncio
import threading
from functools import cache
from io import BytesIO

import pytest
from PIL import Image

from services.predictor.decisions.answers import Output
from services.predictor.model.onnx_model import Model
from services.predictor.model.scoring import (
    INLINE_BYTES,
    INLINE_SECONDS,
    Scored,
    Scoring,
    is_quick,
    score,
)
from shared.imaging.decoding import UndecodableImage, read_structure
from shared.imaging.structure import Pixels
from shared.testing import eventually
from tests.unit.predictor.small_model import picture, small_artefact


class Held(Model):
    """Answers in a thread stop until they are released. Counts how many are in it, and how many were at most."""

    def __init__(self) -> None:
        super().__init__(small_artefact())
        self.answer_seconds = 0.0
        self.inside = 0
        self.most = 0
        self.released = threading.Event()
        self._counting = threading.Lock()

    def answer(self, image: Pixels) -> Output:
        if threading.current_thread() is threading.main_thread():
            return super().answer(image)
        with self._counting:
            self.inside += 1
            self.most = max(self.most, self.inside)
        assert self.released.wait(30)
        with self._counting:
            self.inside -= 1
        return super().answer(image)


@cache
def palette(side: int) -> bytes:
    """Return a square of one palette colour: next to no bytes for many pixels."""
    buffer = BytesIO()
    Image.new("P", (side, side)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_picture_of_few_bytes_is_worth_a_thread_for_its_pixels() -> None:
    assert len(palette(3000)) < INLINE_BYTES
    assert not is_quick(read_structure(palette(3000)))
    assert is_quick(read_structure(palette(1000)))


@pytest.mark.parametrize("data", [b"", b"<html>", palette(1415)[:20], palette(1415)[:-40], palette(7072)])
async def test_undecodable_bytes_are_refused_with_the_reason_of_the_decoder(data: bytes) -> None:
    model = Model(small_artefact())
    with pytest.raises(UndecodableImage) as expected:
        score(data, model)
    with pytest.raises(UndecodableImage) as refused:
        await Scoring().score(data, model)
    assert (refused.value.reason, str(refused.value)) == (expected.value.reason, str(expected.value))


async def test_small_pictures_are_answered_while_large_ones_wait() -> None:
    model, scoring = Held(), Scoring()
    large = [asyncio.create_task(scoring.score(palette(3000), model)) for _ in range(4)]
    try:
        await eventually(lambda: model.inside == len(large))
        assert isinstance(await scoring.score(picture(), model), Scored)
    finally:
        model.released.set()
    assert len(await asyncio.gather(*large)) == len(large)


async def test_a_file_of_many_bytes_goes_to_a_thread() -> None:
    model, scoring = Held(), Scoring()
    noise = BytesIO()
    Image.effect_noise((700, 500), 80).save(noise, "PNG")
    assert len(noise.getvalue()) > INLINE_BYTES
    running = asyncio.create_task(scoring.score(noise.getvalue(), model))
    try:
        await eventually(lambda: model.inside == 1)
    finally:
        model.released.set()
    await running


async def test_a_slow_model_answers_one_after_another_beside_the_loop() -> None:
    model, scoring, left = Held(), Scoring(), []
    model.answer_seconds = 2 * INLINE_SECONDS
    waiting = [asyncio.create_task(scoring.score(picture(), model, lambda: left.append(1))) for _ in range(3)]
    waiting.append(asyncio.create_task(scoring.score(palette(3000), model, lambda: left.append(2))))
    try:
        await eventually(lambda: model.inside == 1 and left == [2])
    finally:
        model.released.set()
    assert len(await asyncio.gather(*waiting)) == 4
    assert model.most == 1


async def test_the_next_slow_answer_waits_for_one_whose_caller_has_left() -> None:
    model, scoring = Held(), Scoring()
    model.answer_seconds = 2 * INLINE_SECONDS
    left = asyncio.create_task(scoring.score(picture(), model))
    try:
        await eventually(lambda: model.inside == 1)
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)
        following = [asyncio.create_task(scoring.score(picture(), model)) for _ in range(2)]
        for _ in range(20):  # turns of the loop, in which they could begin
            await asyncio.sleep(0)
        assert model.inside == 1
    finally:
        model.released.set()
    assert len(await asyncio.gather(*following)) == 2
    assert model.most == 1
