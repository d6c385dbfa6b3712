"""Webhooks: signed events arrive in their order at least once, and an address that fails is stopped and shown."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web

from services.labeler.commands import webhook_delivery
from services.labeler.commands.webhook_delivery import WebhookDelivery
from services.labeler.data.projection import replay_plan
from services.labeler.queries.events import EventFeed
from services.labeler.queries.webhooks import due_webhooks
from services.labeler.settings import LabelerSettings
from shared.tables.replay import replay
from shared.testing import eventually, image_stored, label_corrected
from shared.web.public_client import open_client
from shared.web.webhooks import sign

from .conftest import Labeler


@dataclass
class Receiver:
    """A program that takes events; `statuses` are its next answers, 204 when they are used up."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.BaseRequest) -> web.StreamResponse:
        status = self.statuses.pop(0) if self.statuses else 204
        if status == 204:
            self.taken.append((dict(request.headers), await request.read()))
        return web.Response(status=status, headers={"Location": "http://10.0.0.1/"})

    @property
    def ids(self) -> list[UUID]:
        return [UUID(headers["webhook-id"]) for headers, _ in self.taken]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    runner = web.ServerRunner(web.Server(found.take))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield found
    await runner.cleanup()


@pytest.fixture
def settings(settings: LabelerSettings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> LabelerSettings:
    monkeypatch.setattr(webhook_delivery, "LOOK_EVERY_SECONDS", 0.02)
    host = receiver.url.split("/")[2]
    return settings.model_copy(update={"webhook_hosts": (host,), "webhook_tries": 3})


async def added(labeler: Labeler, url: str, *types: str) -> dict[str, Any]:
    async with labeler.client("olga") as client:
        answer = await client.post("/webhooks", json={"url": url, "types": list(types)})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def shown(labeler: Labeler) -> dict[str, Any]:
    [webhook] = await labeler.get("/webhooks", "olga")
    return dict(webhook)


async def test_events_arrive_signed_and_in_their_order(labeler: Labeler, receiver: Receiver) -> None:
    await labeler.publish(label_corrected())  # before: it is not sent
    webhook = await added(labeler, receiver.url, "label.corrected")
    corrected = [label_corrected() for _ in range(5)]
    for each in corrected:
        await labeler.publish(image_stored(), each)
    await eventually(lambda: len(receiver.taken) >= 5)

    assert receiver.ids == [each.event_id for each in corrected]
    for headers, body in receiver.taken:
        at = int(headers["webhook-timestamp"])
        assert headers["webhook-signature"] == sign(webhook["secret"], headers["webhook-id"], at, body)
    assert "secret" not in await shown(labeler)


async def test_an_event_that_does_not_arrive_is_sent_again_before_those_behind(
    labeler: Labeler, receiver: Receiver
) -> None:
    await added(labeler, receiver.url)
    receiver.statuses = [500, 302]
    first, second = image_stored(), image_stored()
    await labeler.publish(first)
    await labeler.publish(second)
    for failures in (1, 2):
        await eventually(partial(_has_failed, labeler, failures))
        assert receiver.ids == []
        labeler.clock.move(10)
    await eventually(lambda: len(receiver.taken) >= 2)

    assert receiver.ids == [first.event_id, second.event_id]
    await eventually(partial(_has_failed, labeler, 0))


async def _has_failed(labeler: Labeler, times: int) -> bool:
    return int((await shown(labeler))["failures"]) == times


async def test_a_dead_address_is_stopped_and_shown_until_a_person_resumes_it(
    labeler: Labeler, receiver: Receiver
) -> None:
    webhook = await added(labeler, receiver.url)
    receiver.statuses = [500] * 3
    stored = image_stored()
    await labeler.publish(stored)
    for failures in (1, 2, 3):
        await eventually(partial(_has_failed, labeler, failures))
        labeler.clock.move(10)
    stopped = await shown(labeler)
    async with labeler.client("olga") as client:
        await client.post(f"/webhooks/{webhook['webhook_id']}/resume")
    await eventually(lambda: len(receiver.taken) >= 1)

    assert stopped["stopped_at"] is not None
    assert stopped["last_error"] == "It answered 500."
    assert receiver.ids == [stored.event_id]


async def test_a_removed_webhook_hears_no_more(labeler: Labeler, receiver: Receiver) -> None:
    webhook = await added(labeler, receiver.url)
    async with labeler.client("olga") as client:
        gone = await client.delete(f"/webhooks/{webhook['webhook_id']}")
        again = await client.delete(f"/webhooks/{webhook['webhook_id']}")
    other = await added(labeler, receiver.url)
    await labeler.publish(image_stored())
    await eventually(lambda: len(receiver.taken) >= 1)

    assert (gone.status_code, again.status_code) == (200, 404)
    assert [each["webhook_id"] for each in await labeler.get("/webhooks", "olga")] == [other["webhook_id"]]
    assert len(receiver.taken) == 1


async def test_a_private_address_gets_nothing_even_if_its_name_came_later(
    labeler: Labeler, receiver: Receiver, settings: LabelerSettings
) -> None:
    async with labeler.client("olga") as client:
        refused = await client.post("/webhooks", json={"url": "http://127.0.0.1:1/"})
    named = receiver.url.replace("127.0.0.1", "localhost")  # its name is resolved to a loopback address
    await added(labeler, named)
    await labeler.publish(image_stored())

    async def stopped() -> str:
        webhook = await shown(labeler)
        return str(webhook["last_error"]) if webhook["stopped_at"] else ""

    why = await eventually(stopped)

    assert (refused.status_code, refused.json()["error"]) == (422, "address_forbidden")
    assert "a loopback address" in why
    assert receiver.taken == []


async def test_two_copies_at_once_leave_nothing_out(
    labeler: Labeler, receiver: Receiver, settings: LabelerSettings
) -> None:
    await added(labeler, receiver.url)
    stored = [image_stored() for _ in range(20)]
    copies = [WebhookDelivery(labeler.tables, EventFeed(labeler.tables), settings, labeler.clock) for _ in range(2)]
    await labeler.publish(*stored)
    async with open_client(settings.webhook_hosts) as http:
        rows = await due_webhooks(labeler.tables, labeler.clock())
        await asyncio.gather(*(copy.deliver(http, row) for copy in copies for row in rows))
    await eventually(lambda: len(set(receiver.ids)) >= 20)

    assert set(receiver.ids) == {each.event_id for each in stored}
    await eventually(partial(_stands_at, labeler, 20))


async def _stands_at(labeler: Labeler, number: int) -> bool:
    return int((await shown(labeler))["delivered"]) == number


async def test_a_replay_sends_nothing_again(labeler: Labeler, receiver: Receiver, database_url: str) -> None:
    await added(labeler, receiver.url)
    await labeler.publish(image_stored())
    await eventually(lambda: len(receiver.taken) >= 1)

    report = await replay(labeler.event_log, database_url, replay_plan())
    last = image_stored()
    await labeler.publish(last)
    await eventually(lambda: last.event_id in receiver.ids)

    assert (report.differing, report.kept["webhooks"]) == ((), 1)
    assert len(receiver.taken) == 2
