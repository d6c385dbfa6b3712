"""Scores one image: bytes in, answer out, with the time of each stage. Used by the API and the worker."""

import asyncio
from dataclasses import dataclass
from hashlib import sha256
from time import perf_counter

from services.predictor.decisions.answers import Answer, answer_of
from services.predictor.model.onnx_model import Model
from shared.imaging.preprocessing import UndecodableImage, decode, image_facts, prepare

INLINE_BYTES = 200_000
INLINE_SECONDS = 0.02
LARGE_PIXELS = 2_000_000
"""A few kilobytes may hold 50 million pixels, which take a second and the better part of a gigabyte to decode."""
LARGE_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Scored:
    """An answer, the hash of the bytes it is about, and the seconds of its stages."""

    answer: Answer
    sha256: str
    decode_seconds: float
    infer_seconds: float

    @property
    def milliseconds(self) -> float:
        """The time of both stages."""
        return round((self.decode_seconds + self.infer_seconds) * 1000, 3)


class Scoring:
    """Scores without blocking other requests: slow work runs in a thread, and at most LARGE_AT_ONCE large pictures are
    in memory. A process has one."""

    def __init__(self) -> None:
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    async def score(self, data: bytes, model: Model) -> Scored:
        """Run `score` on the event loop or in a thread. Raises UndecodableImage."""
        if is_large(data):
            async with self._large:
                return await asyncio.to_thread(score, data, model)
        if worth_a_thread(data, model):
            return await asyncio.to_thread(score, data, model)
        return score(data, model)


def is_large(data: bytes) -> bool:
    """Return whether the header announces so many pixels that decoding takes long. For a header that is refused it does
    not: `decode` refuses it at once, with the reason."""
    try:
        facts = image_facts(data)
    except UndecodableImage:
        return False
    return facts.width * facts.height > LARGE_PIXELS


def worth_a_thread(data: bytes, model: Model) -> bool:
    """Return whether scoring a picture that is not large may still block other requests. For a small model, a thread
    costs as much as the answer."""
    return len(data) > INLINE_BYTES or model.answer_seconds > INLINE_SECONDS


def score(data: bytes, model: Model) -> Scored:
    """Decode, resize and answer. Computes for a millisecond or more and never waits.

    Raises:
        UndecodableImage: `data` is not an image Pappus takes.
    """
    started = perf_counter()
    image = prepare(decode(data))  # uint8 [96, 96, 3]
    decoded = perf_counter()
    answer = answer_of(model.answer(image), model.metadata)
    return Scored(answer, sha256(data).hexdigest(), decoded - started, perf_counter() - decoded)
