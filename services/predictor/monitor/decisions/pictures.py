"""Whether pictures still look like those of the last full training, from one answer after the other. Pure."""

from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from services.predictor.monitor.decisions.rows import AnswerRow
from shared.contract.artefact import DriftReference
from shared.drift.mewma import LAMBDA, Floats, advance, statistic, whiten
from shared.drift.reference import label_vector

FEATURES, LABELS, CONFIDENCE = "features", "labels", "confidence"
USUAL_SHARE = 1 / 3
"""Below this share of the way from what it is without drift to its threshold, the statistic is called usual: a drift
began after the last such answer."""
OVER_SHARE = 1 / 2
OVER_ANSWERS = 100
"""A drift is over after so many more answers below half of that way than above it; then another can be noticed."""
LATEST = 20
NEAR = 0.1
"""An answer does not count if its picture is nearly one of the latest: the square of their distance is below this share
of what it is between two usual ones. Ten shots of one flower are one picture."""


class PictureWatch(TypedDict):
    """The state of the watch: see `start_watch`.

    reference: what answers are compared with. version, sequence: of the newest answer, and its promotion. seen: by
    partition, the offset up to which answers are counted. averages: of each statistic. plain: those of labels and
    confidence as they are. latest: the whitened sketches of the latest answers. answers: how many were compared.
    usual_at, since_usual: when the features were last usual, in seconds since 1970, and how many answers came after.
    open_since: since when there is a drift, None without one. below: how many more answers look as if it were over.
    episode: how many drifts there were.
    """

    reference: str
    version: str
    sequence: int
    seen: dict[str, int]
    averages: dict[str, list[float]]
    plain: dict[str, list[float]]
    latest: list[list[float]]
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
    "plain": {},
    "latest": [],
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
        "plain": {name: zero[name] for name in (LABELS, CONFIDENCE)},
        "episode": before["episode"],
    }


def stop_watch(before: PictureWatch, sequence: int) -> PictureWatch:
    """Return the watch of a model without a reference: nothing is compared, and no drift is open."""
    return {**NOTHING_WATCHED, "sequence": sequence, "seen": before["seen"], "episode": before["episode"]}


def follow(before: PictureWatch, reference: Reference, sequence: int) -> PictureWatch:
    """Return the watch after a promotion with this number: the same, if its model has the same reference."""
    if reference.id == before["reference"]:
        return {**before, "sequence": sequence}
    return start_watch(before, reference, sequence)


def count_answer(watch: PictureWatch, answer: AnswerRow, reference: Reference) -> tuple[PictureWatch, bool]:
    """Return the watch with one more answer under its reference, and whether it is the one that shows a drift. An
    answer with a label or a sketch that the reference does not know changes nothing, and none that is nearly one of the
    latest."""
    drift = reference.drift
    if answer["label"] not in reference.labels or len(answer["sketch"]) != len(drift.features.mean):
        return watch, False
    whitened = whiten(np.asarray(answer["sketch"]), drift.features)
    if _is_nearly_known(whitened, watch["latest"]):
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
    usually = len(drift.features.mean)  # what the statistic is on average without drift
    share = (float(statistic(averages[FEATURES])) - usually) / (drift.features.threshold - usually)
    begins = watch["open_since"] is None and share >= 1
    usual = share < USUAL_SHARE
    below = max(0, watch["below"] + (1 if share < OVER_SHARE else -1)) if watch["open_since"] is not None else 0
    over = below >= OVER_ANSWERS
    since = min(watch["usual_at"] or answer["at"], answer["at"])
    return {
        **watch,
        "version": answer["version"],
        "averages": {name: _rounded(average) for name, average in averages.items()},
        "plain": {
            name: _rounded((1 - LAMBDA) * np.asarray(watch["plain"][name]) + LAMBDA * vectors[name][0])
            for name in (LABELS, CONFIDENCE)
        },
        "latest": [*watch["latest"], [round(float(number), 3) for number in whitened]][-LATEST:],
        "answers": watch["answers"] + 1,
        "usual_at": answer["at"] if usual else watch["usual_at"] or answer["at"],
        "since_usual": 0 if usual else watch["since_usual"] + 1,
        "open_since": since if begins else None if over else watch["open_since"],
        "below": 0 if over else below,
        "episode": watch["episode"] + begins,
    }, begins


def _is_nearly_known(whitened: Floats, latest: list[list[float]]) -> bool:
    if not latest:
        return False
    squared = np.square(np.asarray(latest) - whitened).sum(axis=1)
    return bool(squared.min() < NEAR * 2 * len(whitened))


def statistics(watch: PictureWatch) -> dict[str, float]:
    """Return the value of each statistic; empty before the first answer."""
    return {name: float(statistic(np.asarray(average))) for name, average in watch["averages"].items()}


def describe_answers(watch: PictureWatch, reference: Reference) -> dict[str, float]:
    """Return the figures that explain a drift: confidence and share of each label in the latest answers, by the same
    average as the statistics, and as they are expected."""
    drift = reference.drift
    weight = 1 - (1 - LAMBDA) ** watch["answers"]  # an average that began at zero has not seen its whole window
    shares, expected_shares = (
        _shares(np.asarray(watch["plain"][LABELS]) / weight),
        _shares(np.asarray(drift.labels.mean)),
    )
    figures = {"confidence": watch["plain"][CONFIDENCE][0] / weight, "expected_confidence": drift.confidence.mean[0]}
    for label, share, expected in zip(reference.labels, shares, expected_shares, strict=True):
        figures |= {f"share_{label}": share, f"expected_share_{label}": expected}
    return {name: round(value, 4) for name, value in figures.items()}


def _shares(implied: Floats) -> list[float]:
    """Return the share of every label from those of all but the last, each 0 to 1."""
    shares = [min(1.0, max(0.0, float(share))) for share in implied]
    return [*shares, max(0.0, 1 - sum(shares))]


def _rounded(average: Floats) -> list[float]:
    return [round(float(number), 9) for number in average]
