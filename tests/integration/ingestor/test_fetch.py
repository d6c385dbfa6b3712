"""Downloads from a server that means harm."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from services.ingestor.settings import IngestorSettings
from shared.web.download.downloader import Downloader
from shared.web.rejection import Rejection
from tests.integration.ingestor.hostile import PATIENT_SECONDS, HostileServer


class Names(AbstractResolver):
    """Every name is this machine."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None: ...


def settings(*allowed: str, seconds: float = 20.0, tries: int = 3, connections: int = 8) -> IngestorSettings:
    return IngestorSettings(
        allowed_hosts=allowed,
        fetch_total_seconds=seconds,
        fetch_connect_seconds=10.0,
        fetch_tries=tries,
        fetch_connections_per_host=connections,
    )


@pytest.fixture
async def downloads(hostile: HostileServer) -> AsyncIterator[Downloader]:
    async with Downloader.open(settings(f"127.0.0.1:{hostile.port}")) as downloader:
        yield downloader


async def fetched(downloader: Downloader, url: str) -> bytes:
    found = await downloader.fetch(url)
    assert isinstance(found, bytes), found
    return found


async def rejection(downloader: Downloader, url: str) -> Rejection:
    found = await downloader.fetch(url)
    assert isinstance(found, Rejection)
    return found


async def test_a_good_url_gives_its_bytes(hostile: HostileServer, downloads: Downloader) -> None:
    assert (await fetched(downloads, hostile.url("good.jpg"))).startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("path", "reason", "retryable", "requests"),
    [
        ("404", "not_found", False, 1),
        ("410", "not_found", False, 1),
        ("403", "http_error", False, 1),
        ("204", "http_error", False, 1),
        ("429", "http_error", True, 3),
        ("500", "http_error", True, 3),
        ("503", "http_error", True, 3),
        ("broken.jpg", "unreachable", True, 3),
        ("stream.jpg", "too_large", False, 1),
        ("declared.jpg", "too_large", False, 1),
        ("gzipped.jpg", "http_error", False, 1),
        ("nowhere", "http_error", False, 1),
        ("hop/7", "too_many_redirects", False, 6),
    ],
)
async def test_each_failure_has_its_reason_and_is_retried_only_if_it_may_pass(
    hostile: HostileServer, downloads: Downloader, path: str, reason: str, retryable: bool, requests: int
) -> None:
    found = await rejection(downloads, hostile.url(path))
    assert (found.reason, found.retryable) == (reason, retryable), found.detail
    assert hostile.requests[path.split("/")[0]] == requests


async def test_a_server_that_recovers_within_the_tries_is_forgiven(
    hostile: HostileServer, downloads: Downloader
) -> None:
    assert (await fetched(downloads, hostile.url("flaky.png"))).startswith(b"\x89PNG")
    assert hostile.requests["flaky.png"] == 2


async def test_without_a_setting_a_url_is_fetched_once(
    hostile: HostileServer,
) -> None:
    async with Downloader.open(IngestorSettings(allowed_hosts=("127.0.0.1",))) as downloads:
        assert (await rejection(downloads, hostile.url("500"))).retryable
    assert hostile.requests["500"] == 1


@pytest.mark.parametrize("connections", [1, 2])
async def test_waiting_for_a_turn_at_a_slow_host_is_not_held_against_it(
    hostile: HostileServer, connections: int
) -> None:
    times = 5 * connections
    limits = settings("127.0.0.1", seconds=4 * PATIENT_SECONDS, tries=1, connections=connections)
    started = time.monotonic()
    async with Downloader.open(limits) as downloads:
        found = await asyncio.gather(*(downloads.fetch(hostile.url(f"patient/1?{each}")) for each in range(times)))
    assert found == [hostile.bodies["good.jpg"]] * times
    assert time.monotonic() - started >= 5 * PATIENT_SECONDS  # never more connections than allowed


async def test_the_steps_of_a_download_share_its_time(hostile: HostileServer) -> None:
    async with Downloader.open(settings("127.0.0.1", seconds=1.5 * PATIENT_SECONDS, tries=1)) as downloads:
        assert (await rejection(downloads, hostile.url("patient/2"))).reason == "timeout"


async def test_five_redirects_are_followed(hostile: HostileServer, downloads: Downloader) -> None:
    assert await fetched(downloads, hostile.url("hop/5"))


async def test_a_redirect_loop_ends(hostile: HostileServer, downloads: Downloader) -> None:
    loop = hostile.url("to?url=/to%3Furl=/hop/7")
    assert (await rejection(downloads, loop)).reason == "too_many_redirects"


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1/",
        "http://127.0.0.1:1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://2130706433/",
        "http://localhost/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/a.jpg",
        "gopher://127.0.0.1/",
    ],
)
async def test_a_redirect_to_where_nothing_may_be_fetched_is_refused(
    hostile: HostileServer, downloads: Downloader, target: str
) -> None:
    assert (await rejection(downloads, hostile.url(f"to?url={target}"))).reason == "address_forbidden"
    assert (await rejection(downloads, target)).reason == "address_forbidden"


async def test_a_redirect_to_something_that_is_no_url_is_an_answer_of_the_server(
    hostile: HostileServer, downloads: Downloader
) -> None:
    assert (await rejection(downloads, hostile.url("to?url=http://[::1"))).reason == "http_error"


async def test_without_an_allowance_this_machine_is_not_asked(hostile: HostileServer) -> None:
    async with Downloader.open(settings()) as downloads:
        assert (await rejection(downloads, hostile.url("good.jpg"))).reason == "address_forbidden"
    assert not hostile.requests


async def test_a_public_name_that_means_this_machine_is_not_asked(hostile: HostileServer) -> None:
    async with Downloader.open(settings(), Names()) as downloads:
        found = await rejection(downloads, f"http://pictures.example.org:{hostile.port}/good.jpg")
    assert found.reason == "address_forbidden"
    assert not hostile.requests


async def test_an_allowed_name_is_asked_wherever_it_lies(hostile: HostileServer) -> None:
    host = f"pictures.example.org:{hostile.port}"
    async with Downloader.open(settings(host), Names()) as downloads:
        assert await fetched(downloads, f"http://{host}/good.jpg")


async def test_a_server_that_trickles_costs_no_more_than_the_time_limit(hostile: HostileServer) -> None:
    async with Downloader.open(settings("127.0.0.1", seconds=1.0)) as downloads, asyncio.timeout(30):
        found = await rejection(downloads, hostile.url("slow.jpg"))
    assert (found.reason, found.retryable) == ("timeout", True)
    assert hostile.requests["slow.jpg"] == 3
