"""Replicas behind one address: when they count as agreed."""

from itertools import cycle
from uuid import uuid4

import httpx2
import pytest

from pappus.errors import Refused
from pappus.installation.replicas import ASKED_FOR_EACH, FEWEST_REPLICAS, OneAddress, Replicas
from shared.clients.api import AsyncApi, Connecting
from shared.testing.events import NOON

from .api_answers import prediction

ENOUGH = ASKED_FOR_EACH * FEWEST_REPLICAS


class Balancer:
    """A load balancer in front of replicas, in turn. `behind` says, for each, after how many requests in all it serves
    the new model, which answers grass instead of dandelion."""

    def __init__(self, *behind: int) -> None:
        self._turns = cycle(enumerate(behind))
        self.requests = 0
        self.wrong = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Answer as the next replica."""
        self.requests += 1
        assert request.headers["connection"] == "close"
        replica, after = next(self._turns)
        new = self.requests > after
        version = "new" if new else "old"
        if request.url.path == "/model":
            values = {
                "version": version,
                "sequence": 1,
                "labels": [],
                "artefact_sha256": "",
                "loaded_at": NOON.isoformat(),
            }
            return httpx2.Response(200, json=values | {"loaded_at": NOON.isoformat(), "replica": str(replica)})
        self.wrong += not new
        label = "grass" if new else "dandelion"
        answer = {"label": label, "model_version": version, "replica": str(replica)}
        return httpx2.Response(200, json=prediction(uuid4()) | answer)


def behind_one_address(balancer: Balancer) -> Replicas:
    api = AsyncApi("http://p", 0, httpx2.MockTransport(balancer), Connecting(keep=False))
    return OneAddress(api, "See: there")


async def test_they_agree_once_none_can_have_been_left_out() -> None:
    balancer = Balancer(0, 0)
    replicas = behind_one_address(balancer)
    await replicas.until_all_answer(b"", "grass", 5)
    await replicas.until_all_serve("new", 5)
    assert balancer.requests == 2 * ENOUGH
    assert replicas.description == "2 replicas behind one address"


async def test_more_replicas_are_asked_more_often() -> None:
    balancer = Balancer(0, 0, 0, 0)
    await behind_one_address(balancer).until_all_answer(b"", "grass", 5)
    assert balancer.requests == 4 * ASKED_FOR_EACH


async def test_one_that_lags_behind_is_waited_for() -> None:
    balancer = Balancer(0, 40)
    await behind_one_address(balancer).until_all_answer(b"", "grass", 5)
    assert balancer.requests >= 40 + ENOUGH
    assert balancer.wrong > 0


async def test_one_that_never_follows_is_named() -> None:
    replicas = behind_one_address(Balancer(0, 10**9))
    with pytest.raises(Refused, match=r"^1 still answers 'dandelion' with old 0 s after .* See: there"):
        await replicas.until_all_answer(b"", "grass", 0.3)
    with pytest.raises(Refused, match=r"^1 still serves old 0 s after new was promoted"):
        await replicas.until_all_serve("new", 0.3)
