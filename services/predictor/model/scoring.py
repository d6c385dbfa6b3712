"""Scores one image: bytes in, answer out, with the time of each stage. Used by the API and the worker."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from services.predictor.decisions.answers import Answer, answer_of
from services.predictor.model.onnx_model import Model
from shared.imaging.decoding import read_structure
from shared.imaging.lanes import DecodingLanes
from shared.imaging.preprocessing import PreparedImage, prepare_image, prepare_opened
from shared.imaging.structure import Pixels, Structure
from shared.runtime.threads import call_holding

INLINE_BYTES = 200_000
INLINE_SECONDS = 0.02
INLINE_DECODE_SECONDS = 0.04


@dataclass(frozen=True, slots=True)
class Scored:
    """An answer, the hash of the bytes it is about, and the seconds of its stages."""

    answer: Answer
    sha256: str
    decode_seconds: float
    infer_seconds: float

    @property
    def features(self) -> NDArray[np.float32]:
        """The features that the answer comes from, float32 [d]."""
        return self.answer.features

    @property
    def milliseconds(self) -> float:
        """The time of both stages."""
        return round((self.decode_seconds + self.infer_seconds) * 1000, 3)


class Scoring:
    """Scores without blocking other requests: slow work runs elsewhere. A process has one.

    A slow model answers in a thread, one image after another: it keeps a core busy, or all (`Graph.threads`), and two
    answers beside each other would both come later. The next one waits for it also when its caller has left."""

    def __init__(self) -> None:
        self._decoding: DecodingLanes[PreparedImage] = DecodingLanes(prepare_image)
        self._slow = asyncio.Lock()

    async def score(
        self,
        data: bytes,
        model: Model,
        leave: Callable[[], None] | None = None,
        look: Callable[[Pixels], None] | None = None,
    ) -> Scored:
        """Decode, resize and answer, on the event loop where a thread would cost as much as the answer. `leave` is
        called when a picture is about to be decoded elsewhere, `look` with the prepared image before it is answered.

        Raises:
            UndecodableImage: `data` is not an image Pappus takes.
        """
        started = perf_counter()
        slow = model.answer_seconds > INLINE_SECONDS
        if len(data) <= INLINE_BYTES:
            structure = read_structure(data)
            if is_quick(structure):
                image = prepare_opened(structure, started)
                if look is not None:
                    look(image.pixels)
                return await self._answer_slowly(data, image, model) if slow else answer(data, image, model)
        if leave is not None:
            leave()
        image = await self._decoding.call(data)
        if look is not None:
            look(image.pixels)
        if slow:
            return await self._answer_slowly(data, image, model)
        return await asyncio.to_thread(answer, data, image, model)

    async def _answer_slowly(self, data: bytes, image: PreparedImage, model: Model) -> Scored:
        return await call_holding(self._slow, answer, data, image, model)


def is_quick(structure: Structure) -> bool:
    """Return whether a picture is decoded so soon that other requests can wait for it."""
    return structure.seconds <= INLINE_DECODE_SECONDS


def score(data: bytes, model: Model) -> Scored:
    """Decode, resize and answer. Computes for a millisecond or more and never waits. Raises UndecodableImage."""
    return answer(data, prepare_image(data), model)


def answer(data: bytes, image: PreparedImage, model: Model) -> Scored:
    """Answer a prepared image of these bytes."""
    started = perf_counter()
    output = model.answer(image.pixels)
    found = answer_of(output, model.metadata)
    return Scored(found, sha256(data).hexdigest(), image.seconds, perf_counter() - started)
