"""Whether pictures still look like those of the last full training, from one answer after the other. Pure."""

from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from services.predictor.monitor.decisions.rows import AnswerRow
from shared.contract.artefact import DriftReference
from shared.drift.mewma import LAMBDA, Floats, advance, statistic
from shared.drift.reference import label_vector

FEATURES, LABELS, CONFIDENCE = "features", "labels", "confidence"
USUAL_SHARE = 1 / 3
"""Below this share of its threshold a statistic is called usual: a drift began after the last such answer."""
OVER_SHARE = 1 / 2
OVER_ANSWERS = 100
"""A drift is over after so many answers in a row with less than half the threshold; then another can be noticed."""


class PictureWatch(TypedDict):
    """The state of the watch: see `start_watch`.

    reference: what answers are compared with. version, sequence: of the newest answer, and its promotion. seen: by
    partition, the offset up to which answers are counted. averages: of each statistic. answers: how many were
    compared. usual_at, since_usual: when the features were last usual, in seconds since 1970, and how many answers came
    after. open_since: since when there is a drift, None without one. below: answers in a row that look as if it were
    over. episode: how many drifts there were.
    """

    reference: str
    version: str
    sequence: int
    seen: dict[str, int]
    averages: dict[str, list[float]]
    answers: int
    usual_at: float | None
    since_usual: int
    open_since: float | None
    below: int
    episode: int


NOTHING_WATCHED: PictureWatch = {
    "reference": "",
    "version": "",
    "sequence": 0,
    "seen": {},
    "averages": {},
    "answers": 0,
    "usual_at": None,
    "since_usual": 0,
    "open_since": None,
    "below": 0,
    "episode": 0,
}


@dataclass(frozen=True)
class Reference:
    """What a model says about answers without drift; `labels` are in the order of its probabilities."""

    drift: DriftReference
    labels: tuple[str, ...]

    @property
    def id(self) -> str:
        """Its name."""
        return self.drift.id

    def thresholds(self) -> dict[str, float]:
        """Return the threshold of each statistic."""
        drift = self.drift
        return {
            FEATURES: drift.features.threshold,
            LABELS: drift.labels.threshold,
            CONFIDENCE: drift.confidence.threshold,
        }


def start_watch(before: PictureWatch, reference: Reference, sequence: int) -> PictureWatch:
    """Return the watch of a new reference: nothing is compared yet, and a drift from another reference is over."""
    zero = {
        FEATURES: [0.0] * len(reference.drift.features.mean),
        LABELS: [0.0] * len(reference.drift.labels.mean),
        CONFIDENCE: [0.0],
    }
    return {
        **NOTHING_WATCHED,
        "reference": reference.id,
        "sequence": sequence,
        "seen": before["seen"],
        "averages": zero,
        "episode": before["episode"],
    }


def count_answer(watch: PictureWatch, answer: AnswerRow, reference: Reference) -> tuple[PictureWatch, bool]:
    """Return the watch with one more answer under its reference, and whether it is the one that shows a drift. An
    answer with a label or a sketch that the reference does not know changes nothing."""
    drift = reference.drift
    if answer["label"] not in reference.labels or len(answer["sketch"]) != len(drift.features.mean):
        return watch, False
    vectors = {
        FEATURES: (np.asarray(answer["sketch"]), drift.features),
        LABELS: (label_vector(reference.labels.index(answer["label"]), len(reference.labels)), drift.labels),
        CONFIDENCE: (np.asarray([answer["confidence"]]), drift.confidence),
    }
    averages = {
        name: advance(np.asarray(watch["averages"][name]), vector, expected)
        for name, (vector, expected) in vectors.items()
    }
    share = float(statistic(averages[FEATURES])) / drift.features.threshold
    begins = watch["open_since"] is None and share >= 1
    usual = share < USUAL_SHARE
    below = watch["below"] + 1 if watch["open_since"] is not None and share < OVER_SHARE else 0
    over = below >= OVER_ANSWERS
    since = watch["usual_at"] or answer["at"]
    return {
        **watch,
        "version": answer["version"],
        "averages": {name: _rounded(average) for name, average in averages.items()},
        "answers": watch["answers"] + 1,
        "usual_at": answer["at"] if usual else watch["usual_at"] or answer["at"],
        "since_usual": 0 if usual else watch["since_usual"] + 1,
        "open_since": since if begins else None if over else watch["open_since"],
        "below": 0 if over else below,
        "episode": watch["episode"] + begins,
    }, begins


def statistics(watch: PictureWatch) -> dict[str, float]:
    """Return the value of each statistic; empty before the first answer."""
    return {name: float(statistic(np.asarray(average))) for name, average in watch["averages"].items()}


def describe_answers(watch: PictureWatch, reference: Reference) -> dict[str, float]:
    """Return the figures that explain a drift: confidence and share of each label in the latest answers, by the same
    average as the statistics, and as they are expected."""
    drift = reference.drift
    weight = 1 - (1 - LAMBDA) ** watch["answers"]  # an average that began at zero has not seen its whole window
    shares, expected_shares = (
        _shares(numbers) for numbers in (_value(watch, LABELS, weight, reference), np.asarray(drift.labels.mean))
    )
    figures = {
        "confidence": float(_value(watch, CONFIDENCE, weight, reference)[0]),
        "expected_confidence": drift.confidence.mean[0],
    }
    for label, share, expected in zip(reference.labels, shares, expected_shares, strict=True):
        figures |= {f"share_{label}": share, f"expected_share_{label}": expected}
    return {name: round(value, 4) for name, value in figures.items()}


def _value(watch: PictureWatch, name: str, weight: float, reference: Reference) -> Floats:
    """Return the averaged vector itself, [k]: whitening undone."""
    expected = reference.drift.labels if name == LABELS else reference.drift.confidence
    whitened = np.asarray(watch["averages"][name]) / weight
    return np.asarray(np.asarray(expected.mean) + whitened @ np.linalg.inv(np.asarray(expected.whitening)))


def _shares(implied: Floats) -> list[float]:
    """Return the share of every label from those of all but the last, each 0 to 1."""
    shares = [min(1.0, max(0.0, float(share))) for share in implied]
    return [*shares, max(0.0, 1 - sum(shares))]


def _rounded(average: Floats) -> list[float]:
    return [round(float(number), 9) for number in average]
