"""Names are resolved, then checked."""

import pytest

from shared.web.download.rejected import DownloadRejected
from shared.web.download.resolver import CheckedResolver
from shared.web.fetchable import AllowedHosts
from tests.unit.ingestor.names import Names


async def test_only_permitted_addresses_of_a_name_are_connected_to() -> None:
    resolver = CheckedResolver(AllowedHosts(), Names(["10.0.0.1", "93.184.215.14", "::1"]))
    assert [answer["host"] for answer in await resolver.resolve("example.org", 80)] == ["93.184.215.14"]


async def test_a_name_with_forbidden_addresses_only_is_refused() -> None:
    resolver = CheckedResolver(AllowedHosts(), Names(["127.0.0.1", "::1"]))
    with pytest.raises(DownloadRejected) as raised:
        await resolver.resolve("localhost.example.org", 80)
    assert raised.value.rejection.reason == "address_forbidden"
    assert "localhost.example.org is a loopback address" in raised.value.rejection.detail


async def test_an_allowed_host_may_have_any_address_but_only_on_its_port() -> None:
    resolver = CheckedResolver(AllowedHosts.parse(["inside:8000"]), Names(["10.0.0.1"]))
    assert [answer["host"] for answer in await resolver.resolve("inside", 8000)] == ["10.0.0.1"]
    with pytest.raises(DownloadRejected):
        await resolver.resolve("inside", 8001)
