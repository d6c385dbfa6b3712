"""Whether people agree with as many answers as before, from one decision after the other. Pure.

What is compared is how often they agree beyond how sure the answers were: Review shows doubtful images first, and of
those people contradict more, with the same model.
"""

from dataclasses import dataclass
from typing import TypedDict

from services.predictor.monitor.decisions.adwin import find_cut
from services.predictor.monitor.decisions.rows import OutcomeRow

LARGEST_WINDOW = 500
USUAL_AFTER = 200
"""After so many outcomes without another change a fall is what is usual now."""


class AgreementWatch(TypedDict):
    """The state of the watch. seen: by partition, the offset up to which outcomes are counted. window: the outcomes
    since the last change, oldest first, 1 for right; how sure each answer was, 0 to 1; and their times in seconds since
    1970. open_since: since when
    fewer answers are right, None while they are not. episode: how many falls there were."""

    seen: dict[str, int]
    window: list[int]
    sureness: list[float]
    times: list[float]
    open_since: float | None
    episode: int


NOTHING_SAID: AgreementWatch = {"seen": {}, "window": [], "sureness": [], "times": [], "open_since": None, "episode": 0}


@dataclass(frozen=True, slots=True)
class Fall:
    """People agree with fewer answers: which share of them they agreed with before, and since."""

    before: float
    after: float


def count_outcome(watch: AgreementWatch, outcome: OutcomeRow) -> tuple[AgreementWatch, Fall | None]:
    """Return the watch with one more outcome, and the fall if it is the one that shows it. Where the window is cut,
    its older part is forgotten. A fall is over after a rise, or once so many outcomes came after it that it is usual;
    a further fall before that is the same one."""
    partition, offset = outcome["partition"], outcome["offset"]
    seen = {**watch["seen"], partition: max(watch["seen"].get(partition, 0), offset + 1)}
    window = [*watch["window"], int(outcome["right"])][-LARGEST_WINDOW:]
    sureness = [*watch["sureness"], outcome["probability"]][-LARGEST_WINDOW:]
    times = [*watch["times"], outcome["at"]][-LARGEST_WINDOW:]
    cut = find_cut([(1 + right - sure) / 2 for right, sure in zip(window, sureness, strict=True)])
    since = watch["open_since"]
    if cut is None:
        since = None if len(window) >= USUAL_AFTER else since
        return {
            **watch,
            "seen": seen,
            "window": window,
            "sureness": sureness,
            "times": times,
            "open_since": since,
        }, None
    falls = cut.after < cut.before
    begins = falls and since is None
    return {
        "seen": seen,
        "window": window[cut.index :],
        "sureness": sureness[cut.index :],
        "times": times[cut.index :],
        "open_since": (times[cut.index] if begins else since) if falls else None,
        "episode": watch["episode"] + begins,
    }, Fall(_share(window[: cut.index]), _share(window[cut.index :])) if begins else None


def _share(outcomes: list[int]) -> float:
    return sum(outcomes) / len(outcomes)
