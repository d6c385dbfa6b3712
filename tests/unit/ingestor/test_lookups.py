"""Name servers that keep silent, and who has to wait for them."""

import asyncio

import pytest

from services.ingestor.settings import IngestorSettings
from shared.testing import eventually
from shared.web.download.downloader import Downloader
from shared.web.download.lookups import AT_ONCE, REST_SECONDS, Lookups, domain_of
from shared.web.download.rejected import DownloadRejected
from shared.web.rejection import Rejection
from tests.unit.ingestor.name_server import NameServer
from tests.unit.ingestor.names import Names
from tests.unit.ingestor.raw_server import PICTURE, RawServer, answer

ROWS = 40


def settings(lookup: float, total: float = 20.0) -> IngestorSettings:
    hosts = ("healthy.example",)
    return IngestorSettings(
        allowed_hosts=hosts, fetch_lookup_seconds=lookup, fetch_total_seconds=total, fetch_connections_per_host=1
    )


def silence(name: str) -> float | None:
    """Answer every name but those of one domain."""
    return None if "silent" in name else 0.0


async def test_a_silent_domain_holds_up_no_other() -> None:
    async with (
        RawServer.running({"/a": answer()}) as server,
        NameServer.running(silence) as (names, resolver),
        Downloader.open(settings(lookup=30), resolver) as downloads,
    ):
        rows = [asyncio.create_task(downloads.fetch(f"http://{n}.silent.example/")) for n in range(ROWS)]
        await eventually(lambda: any("silent" in name for name in names.asked))
        assert await downloads.fetch(f"http://healthy.example:{server.port}/a") == PICTURE
        assert not any(row.done() for row in rows)
        for row in rows:
            row.cancel()
        await asyncio.gather(*rows, return_exceptions=True)


async def test_rows_of_a_silent_domain_share_few_lookups_and_their_fate() -> None:
    async with (
        NameServer.running(silence) as (names, resolver),
        Downloader.open(settings(lookup=0.2), resolver) as downloads,
    ):
        found = await asyncio.gather(*(downloads.fetch(f"http://{n}.silent.example/") for n in range(ROWS)))
    assert len({name for name in names.asked if "silent" in name}) <= AT_ONCE
    for each in found:
        assert isinstance(each, Rejection)
        assert (each.reason, each.retryable) == ("unreachable", True)
        assert "name servers" in each.detail


async def test_the_time_of_a_lookup_is_not_the_time_of_the_host() -> None:
    async with (
        RawServer.running({"/a": answer()}) as server,
        NameServer.running(lambda _: 1.5) as (_, resolver),
        Downloader.open(settings(lookup=30, total=1.0), resolver) as downloads,
    ):
        assert await downloads.fetch(f"http://healthy.example:{server.port}/a") == PICTURE


async def test_a_name_of_this_machine_is_refused_whoever_says_it() -> None:
    async with (
        NameServer.running(silence) as (_, resolver),
        Downloader.open(settings(lookup=30), resolver) as downloads,
    ):
        found = await downloads.fetch("http://rebound.example/")
    assert isinstance(found, Rejection)
    assert found.reason == "address_forbidden"


class Fails(Names):
    """Never answers, or says what is wrong."""

    def __init__(self, error: OSError | None = None) -> None:
        super().__init__(["1.1.1.1"])
        self.error = error
        self.healthy = False
        self.asked = 0

    async def resolve(self, *args: object, **kwargs: object) -> list:  # type: ignore[type-arg]
        self.asked += 1
        if self.healthy:
            return await super().resolve("h", 80)
        if self.error is None:
            await asyncio.Event().wait()
        raise self.error or AssertionError


async def refused(lookups: Lookups, host: str) -> Rejection:
    with pytest.raises(DownloadRejected) as raised:
        await lookups.resolve(host, 80)
    return raised.value.rejection


async def test_a_silent_domain_is_asked_again_after_a_rest() -> None:
    now, names = 0.0, Fails()
    lookups = Lookups(0.01, names, lambda: now)
    await refused(lookups, "a.silent.example")
    names.healthy = True
    assert "did not answer a moment ago" in (await refused(lookups, "b.silent.example")).detail
    assert names.asked == 1
    assert await lookups.resolve("other.example", 80)
    now = REST_SECONDS + 1
    assert await lookups.resolve("b.silent.example", 80)


async def test_a_name_that_does_not_exist_says_so_and_is_no_silence() -> None:
    names = Fails(OSError(None, "Domain name not found"))
    lookups = Lookups(1.0, names)
    for host in ("a.example", "b.example"):
        found = await refused(lookups, host)
        assert (found.reason, found.retryable) == ("unreachable", True)
        assert f"The name {host} leads to no address (Domain name not found)." in found.detail
    assert names.asked == 2


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("localhost", "localhost"),
        ("example.org", "example.org"),
        ("a.b.example.org", "example.org"),
        ("images.example.co.uk", "example.co.uk"),
        ("example.co.uk", "example.co.uk"),
        ("t.co", "t.co"),
    ],
)
def test_a_domain_is_what_its_name_servers_answer_for(host: str, domain: str) -> None:
    assert domain_of(host) == domain
