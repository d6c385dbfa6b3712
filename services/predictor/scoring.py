"""One image scored: bytes in, answer out, with the time each stage took. Used by the API and by the worker alike."""

from dataclasses import dataclass
from hashlib import sha256
from time import perf_counter

from services.predictor.answers import Answer, answer_of
from services.predictor.model import Model
from shared.preprocessing import decode, prepare

INLINE_BYTES = 200_000
INLINE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Scored:
    """An answer, the hash of the bytes it is about, and the seconds of its stages."""

    answer: Answer
    sha256: str
    decode_seconds: float
    infer_seconds: float

    @property
    def milliseconds(self) -> float:
        """Both stages together."""
        return round((self.decode_seconds + self.infer_seconds) * 1000, 3)


def worth_a_thread(data: bytes, model: Model) -> bool:
    """Whether scoring may take so long that others should not wait. Handing over costs a small model once more."""
    return len(data) > INLINE_BYTES or model.answer_seconds > INLINE_SECONDS


def score(data: bytes, model: Model) -> Scored:
    """Decode, resize and answer. Computes for a millisecond or more, without waiting for anything.

    Raises:
        UndecodableImage: `data` is not an image Pappus takes.
    """
    started = perf_counter()
    image = prepare(decode(data))  # uint8 [96, 96, 3]
    decoded = perf_counter()
    answer = answer_of(model.answer(image), model.metadata)
    return Scored(answer, sha256(data).hexdigest(), decoded - started, perf_counter() - decoded)
