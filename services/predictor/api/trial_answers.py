"""What a candidate in trial answers to live requests, compared with the champion's answer after that was given.

Nothing here is in front of an answer that a client waits for: what is compared waits in a short queue until no request
has a turn, is computed in a thread, and is dropped and counted where there is no time.
"""

import asyncio
import time
from typing import NamedTuple

from services.predictor.api.turns import Turns
from services.predictor.model.onnx_model import Model
from services.predictor.model.trial import CandidateFailed, LoadedTrial, Trial, TrialHolder, label_of
from shared.imaging.structure import Pixels

WAITING = 32
"""Images that wait to be compared at most, 28 kB each."""
LONGEST_SECONDS = 5.0
"""How long one waits for a moment without requests."""
PAUSE_SECONDS = 0.01
"""Between two looks whether requests are answered now. The first pause also lets the answer be written."""


class _Compared(NamedTuple):
    """An image that one model answered with `label`, and the other model, which is asked now: the `candidate`, or the
    champion."""

    trial: Trial
    model: Model
    candidate: bool
    pixels: Pixels
    label: str
    since: float


class TrialAnswers:
    """Compares the answers of a share of the requests."""

    def __init__(self, holder: TrialHolder, turns: Turns, longest_seconds: float = LONGEST_SECONDS) -> None:
        self._holder = holder
        self._turns = turns
        self._longest_seconds = longest_seconds
        self._queue: asyncio.Queue[_Compared] = asyncio.Queue(WAITING)

    @property
    def current(self) -> LoadedTrial | None:
        """The trial that goes on; None without one."""
        return self._holder.current

    def ask_candidate(self, loaded: LoadedTrial, pixels: Pixels, label: str) -> None:
        """Have the candidate asked about an image that the champion answered with `label`. Never waits or raises."""
        self._offer(_Compared(loaded.trial, loaded.model, True, pixels, label, time.monotonic()))

    def ask_champion(self, loaded: LoadedTrial, champion: Model, pixels: Pixels, label: str) -> None:
        """Have the champion asked about an image that the candidate answered with `label`. Never waits or raises."""
        self._offer(_Compared(loaded.trial, champion, False, pixels, label, time.monotonic()))

    def _offer(self, asked: _Compared) -> None:
        try:
            self._queue.put_nowait(asked)
        except asyncio.QueueFull:
            asked.trial.drop()

    async def run(self) -> None:
        """Compare what was offered until cancelled."""
        while True:
            await self._compare(await self._queue.get())

    async def _compare(self, asked: _Compared) -> None:
        await asyncio.sleep(PAUSE_SECONDS)
        while self._turns.busy:
            if time.monotonic() - asked.since > self._longest_seconds:
                asked.trial.drop()
                return
            await asyncio.sleep(PAUSE_SECONDS)
        try:
            label = await asyncio.to_thread(label_of, asked.model, asked.pixels)
        except CandidateFailed as error:
            if asked.candidate:
                asked.trial.fail(error)
            else:
                asked.trial.drop()
            return
        asked.trial.count(label == asked.label)
