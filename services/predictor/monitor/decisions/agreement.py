"""Whether people agree with as many answers as before, from one decision after the other. Pure."""

from typing import TypedDict

from services.predictor.monitor.decisions.adwin import Cut, find_cut
from services.predictor.monitor.decisions.rows import OutcomeRow

LARGEST_WINDOW = 500
USUAL_AFTER = 200
"""After so many outcomes without another change a fall is what is usual now."""


class AgreementWatch(TypedDict):
    """The state of the watch. seen: by partition, the offset up to which outcomes are counted. window: the outcomes
    since the last change, oldest first, 1 for right, and their times in seconds since 1970. open_since: since when
    fewer answers are right, None while they are not. episode: how many falls there were."""

    seen: dict[str, int]
    window: list[int]
    times: list[float]
    open_since: float | None
    episode: int


NOTHING_SAID: AgreementWatch = {"seen": {}, "window": [], "times": [], "open_since": None, "episode": 0}


def count_outcome(watch: AgreementWatch, outcome: OutcomeRow) -> tuple[AgreementWatch, Cut | None]:
    """Return the watch with one more outcome, and the cut if it is the one that shows a fall. Where the window is cut,
    its older part is forgotten. A fall is over after a rise, or once so many outcomes came after it that it is usual;
    a further fall before that is the same one."""
    partition, offset = outcome["partition"], outcome["offset"]
    seen = {**watch["seen"], partition: max(watch["seen"].get(partition, 0), offset + 1)}
    window = [*watch["window"], int(outcome["right"])][-LARGEST_WINDOW:]
    times = [*watch["times"], outcome["at"]][-LARGEST_WINDOW:]
    cut = find_cut([bool(right) for right in window])
    since = watch["open_since"]
    if cut is None:
        since = None if len(window) >= USUAL_AFTER else since
        return {**watch, "seen": seen, "window": window, "times": times, "open_since": since}, None
    falls = cut.after < cut.before
    begins = falls and since is None
    return {
        "seen": seen,
        "window": window[cut.index :],
        "times": times[cut.index :],
        "open_since": (times[cut.index] if begins else since) if falls else None,
        "episode": watch["episode"] + begins,
    }, cut if begins else None
