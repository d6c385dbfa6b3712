"""The picture that the animation is about: a drawn plant that the model in service gets wrong."""

import io
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from pappus.demo.drawing import DRAWN_LABELS, draw

SEED = 2024
"""Another than that of the demo, so that the model has not learned these pictures."""
SHOWN_SIDE = 576
TRIES = 400


class NoSubject(Exception):
    """The model knows all the pictures. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A picture (JPEG bytes), what it shows, and what the model says instead."""

    data: bytes
    truth: str
    said: str


def find_subject(ask: Callable[[bytes], str], tries: int = TRIES) -> Subject:
    """Return the first drawn dandelion that the model takes for another plant. `ask` returns the model's label for the
    bytes of a picture. Raises NoSubject if `tries` pictures are all known."""
    truth = DRAWN_LABELS[0]
    for number in range(tries):
        data = _enlarged(draw(truth, number, SEED))
        if (said := ask(data)) != truth:
            return Subject(data, truth, said)
    raise NoSubject(f"The model knows all {tries} drawn dandelions: take a stack whose model has seen fewer pictures.")


def _enlarged(data: bytes) -> bytes:
    """Return the same picture as a camera would have it: larger, and as sharp as it was."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        image.resize((SHOWN_SIDE, SHOWN_SIDE), Image.Resampling.LANCZOS).save(out, "JPEG", quality=90)
    return out.getvalue()
