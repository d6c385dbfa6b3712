"""The candidate that is tried: loaded when its trial begins, forgotten when it ends."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

from services.predictor.decisions.answers import answer_of
from services.predictor.decisions.trials import Trials
from services.predictor.metrics import TRIAL_ANSWERS
from services.predictor.model.candidates import CandidateModels
from services.predictor.model.holder import ServingModel
from services.predictor.model.onnx_model import Model
from shared.contract.trials import TrialStarted
from shared.imaging.decoding import UndecodableImage
from shared.imaging.structure import Pixels
from shared.runtime.clock import Clock, utc_now
from shared.runtime.errors import PappusError, TransientError
from shared.runtime.retry import RetryPolicy, delay
from shared.runtime.telemetry import logger

RETRY = RetryPolicy(first_seconds=0.5, factor=2.0, longest_seconds=15.0, attempts=None)
LONGEST_DETAIL = 300
LOAD_ATTEMPTS = 5
"""A candidate fails in a replica when so many attempts to load it have: at a start its classes may not be known yet."""


class CandidateFailed(PappusError):
    """A candidate in trial gave no answer to a live request."""


@contextmanager
def failures_named() -> Iterator[None]:
    """Raise CandidateFailed for what a candidate raises; that an image is none is no fault of it."""
    try:
        yield
    except (PappusError, UndecodableImage):
        raise
    except Exception as error:  # onnxruntime's exceptions have no base class of their own
        raise CandidateFailed(f"The candidate gives no answer to a live request: {error}") from error


def label_of(model: Model, pixels: Pixels) -> str:
    """Return the label that a model answers for a prepared image. Raises CandidateFailed: it gives no answer."""
    with failures_named():
        return answer_of(model.answer(pixels), model.metadata).label


@dataclass
class Trial:
    """A trial in this replica, and what was compared in it: counts that only grow."""

    event: TrialStarted
    run: UUID = field(default_factory=uuid4)
    compared: int = 0
    disagreed: int = 0
    failed: int = 0
    dropped: int = 0
    detail: str = ""

    def count(self, agreed: bool) -> None:
        """Count an answer of the candidate that was compared with that of the champion."""
        self.compared += 1
        self.disagreed += not agreed
        TRIAL_ANSWERS.labels("agreed" if agreed else "disagreed").inc()

    def drop(self) -> None:
        """Count a request of the share that is not compared."""
        self.dropped += 1
        TRIAL_ANSWERS.labels("dropped").inc()

    def fail(self, error: Exception) -> None:
        """Count that the candidate could not be loaded, or gave no answer."""
        self.failed += 1
        self.detail = str(error)[:LONGEST_DETAIL]
        TRIAL_ANSWERS.labels("failed").inc()
        logger.error("a candidate in trial failed", version=self.event.version, error=self.detail)


@dataclass(frozen=True, slots=True)
class LoadedTrial:
    """A trial that goes on, and its candidate in memory."""

    trial: Trial
    model: Model

    @property
    def gives_answers(self) -> bool:
        """Whether the candidate's answers are given to those who ask (canary), or to none (shadow)."""
        return self.trial.event.mode == "canary"

    def in_place_of(self, champion: ServingModel) -> ServingModel:
        """Return the candidate as what answers a request, under the promotion of the champion."""
        event = self.trial.event
        named = {"version": event.version, "artefact_key": event.artefact_key, "artefact_sha256": event.artefact_sha256}
        return replace(champion, promotion=champion.promotion.model_copy(update=named), model=self.model)


class TrialHolder:
    """Holds the candidate that is tried now."""

    def __init__(self, candidates: CandidateModels, retry: RetryPolicy = RETRY, clock: Clock = utc_now) -> None:
        self.current: LoadedTrial | None = None
        """Read once by each request; None: there is no trial."""
        self.newest: Trial | None = None
        """The last trial that began here, also one whose candidate cannot be loaded: what is reported."""
        self._candidates = candidates
        self._retry = retry
        self._clock = clock
        self._trials = Trials()
        self._refused = 0
        self._changed = asyncio.Event()

    def set_target(self, trials: Trials) -> None:
        """Try what these say from now on."""
        self._trials = trials
        self._end_if_over()
        self._changed.set()

    async def run(self) -> None:
        """Load the candidate of each trial, and let it go when its time is over, until cancelled."""
        attempt = 0
        while True:
            self._changed.clear()
            again = await self._follow(self._end_if_over())
            attempt = attempt + 1 if again else 0
            await self._wait(delay(self._retry, attempt) if again else self._seconds_left())

    def _end_if_over(self) -> TrialStarted | None:
        """Return the trial that goes on; forget one that does not."""
        wanted, current = self._trials.current(self._clock()), self.current
        if current is not None and current.trial.event != wanted:
            self.current = None
            self._candidates.release()
            logger.info("a trial is over here", version=current.trial.event.version)
        return wanted

    async def _follow(self, wanted: TrialStarted | None) -> bool:
        """Load what is to be tried. Return whether that has to be tried again."""
        if wanted is None:
            return False
        trial = self.newest
        if trial is None or trial.event != wanted:
            self.newest, self._refused = Trial(wanted), 0
            trial = self.newest
        if self.current is not None or trial.failed:
            return False
        try:
            loaded = await self._candidates.hold(wanted)
        except TransientError as error:
            logger.warning("a candidate in trial cannot be loaded yet", version=wanted.version, error=str(error))
            return True
        except PappusError as error:
            self._refused += 1
            if self._refused < LOAD_ATTEMPTS:
                return True
            trial.fail(error)
            return False
        if self._trials.current(self._clock()) == wanted:
            self.current = LoadedTrial(trial, loaded.model)
            logger.info("a candidate is tried", version=wanted.version, mode=wanted.mode, share=wanted.share)
        return False

    def _seconds_left(self) -> float | None:
        trial = self._trials.current(self._clock())
        return None if trial is None else max(0.0, (trial.ends_at - self._clock()).total_seconds())

    async def _wait(self, seconds: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
