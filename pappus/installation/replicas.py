"""All replicas of the predictor: waiting until each of them serves a model, or answers alike."""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

from pappus.errors import Refused
from shared.clients.answers import Prediction, ServingModel
from shared.clients.api import AsyncApi
from shared.clients.predictor import get_serving_model, predict

ASK_AGAIN_SECONDS = 0.01
"""Between two questions which model is served, where the answer does not wait for another one."""
LONGEST_WAIT_SECONDS = 5.0
"""A replica keeps the question for its next model open so long at most."""
FEWEST_REPLICAS = 2
ASKED_FOR_EACH = 8
"""How often the common address of n replicas is asked, for each of them: a load balancer that chooses at random leaves
one out with a probability below n / e^8, which is 1 in 1,000 for 3 replicas."""


class Replicas(Protocol):
    """All replicas of one predictor."""

    @property
    def description(self) -> str:
        """How many there are, as far as is known."""

    async def ask(self, data: bytes) -> Prediction:
        """Return what one of them answers about these bytes."""

    async def until_all_answer(self, data: bytes, label: str, timeout_seconds: float) -> None:
        """Wait until every replica answers `label` for these bytes. Raises Refused after `timeout_seconds`."""

    async def until_all_serve(self, version: str, timeout_seconds: float) -> None:
        """Wait until every replica serves `version`. Raises Refused after `timeout_seconds`."""


class OwnAddresses:
    """Replicas that are asked one by one. `advice` says where to look if one does not follow.

    A replica is asked for an answer again only when it serves another model: each answer costs the cores that the new
    model waits for."""

    def __init__(self, replicas: Sequence[AsyncApi], advice: str) -> None:
        self._replicas = replicas
        self._advice = advice

    @property
    def description(self) -> str:
        return f"{len(self._replicas)} replicas"

    async def ask(self, data: bytes) -> Prediction:
        return await self._replicas[0].send(predict(data))

    async def until_all_answer(self, data: bytes, label: str, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds

        async def one(replica: AsyncApi) -> None:
            while (answer := await replica.send(predict(data))).label != label:
                while (await _next_model(replica, answer.model_version, deadline)).version == answer.model_version:
                    if time.monotonic() > deadline:
                        raise _still_answers(replica.base_url, answer, label, timeout_seconds, self._advice)

        await asyncio.gather(*(one(replica) for replica in self._replicas))

    async def until_all_serve(self, version: str, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds

        async def one(replica: AsyncApi) -> None:
            serving = await replica.send(get_serving_model())
            while serving.version != version:
                if time.monotonic() > deadline:
                    raise _still_serves(replica.base_url, serving, version, timeout_seconds)
                serving = await _next_model(replica, serving.version, deadline)

        await asyncio.gather(*(one(replica) for replica in self._replicas))


class OneAddress:
    """Replicas behind one address, which a load balancer gives to one of them each time. They are taken to agree once
    they answered alike so many times in a row that none can have been left out. `common` has to open a connection for
    each request."""

    def __init__(self, common: AsyncApi, advice: str) -> None:
        self._common = common
        self._advice = advice
        self._seen: set[str] = set()

    @property
    def description(self) -> str:
        return f"{len(self._seen)} replicas behind one address"

    async def ask(self, data: bytes) -> Prediction:
        answer = await self._common.send(predict(data))
        self._seen.add(answer.replica)
        return answer

    async def until_all_answer(self, data: bytes, label: str, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        in_a_row = 0
        while in_a_row < self._enough():
            answer = await self.ask(data)
            if answer.label == label:
                in_a_row += 1
                continue
            in_a_row, again = 0, answer.model_version
            while again == answer.model_version:
                if time.monotonic() > deadline:
                    raise _still_answers(answer.replica, answer, label, timeout_seconds, self._advice)
                await asyncio.sleep(ASK_AGAIN_SECONDS)
                again = (await self._model()).version

    async def until_all_serve(self, version: str, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        in_a_row = 0
        while in_a_row < self._enough():
            serving = await self._model()
            if serving.version == version:
                in_a_row += 1
                continue
            in_a_row = 0
            if time.monotonic() > deadline:
                raise _still_serves(serving.replica, serving, version, timeout_seconds)
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    async def _model(self) -> ServingModel:
        serving = await self._common.send(get_serving_model())
        self._seen.add(serving.replica)
        return serving

    def _enough(self) -> int:
        return ASKED_FOR_EACH * max(FEWEST_REPLICAS, len(self._seen))


async def _next_model(replica: AsyncApi, version: str, deadline: float) -> ServingModel:
    """Return what the replica serves once that is another version than `version`, or after a while."""
    left = min(LONGEST_WAIT_SECONDS, max(0.1, deadline - time.monotonic()))
    serving = await replica.send(get_serving_model(version, left))
    if serving.version == version:  # a replica of an earlier release does not wait
        await asyncio.sleep(ASK_AGAIN_SECONDS)
    return serving


def _still_answers(where: str, answer: Prediction, label: str, seconds: float, advice: str) -> Refused:
    return Refused(
        f"{where} still answers {answer.label!r} with {answer.model_version} {seconds:.0f} s after it was corrected to"
        f" {label!r}. {advice}"
    )


def _still_serves(where: str, serving: ServingModel, version: str, seconds: float) -> Refused:
    return Refused(f"{where} still serves {serving.version} {seconds:.0f} s after {version} was promoted.")
