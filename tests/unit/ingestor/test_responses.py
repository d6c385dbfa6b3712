"""Where an answer may lead."""

import pytest

from shared.web.fetchable import AllowedHosts, check_url
from shared.web.rejection import Rejection
from shared.web.responses import redirect_target
from shared.web.urls import Address

ALLOWED = AllowedHosts.parse(["127.0.0.1:28300", "files.internal", "other.internal"])


def target(from_url: str, to_url: str) -> Address | Rejection | None:
    address = check_url(from_url, ALLOWED)
    assert isinstance(address, Address)
    return redirect_target(address, 302, to_url, ALLOWED)


@pytest.mark.parametrize("to_url", ["http://127.0.0.1:28300/a.jpg", "http://files.internal/a.jpg"])
def test_a_public_host_leads_to_no_host_that_was_allowed(to_url: str) -> None:
    found = target("http://example.org/a.jpg", to_url)
    assert isinstance(found, Rejection)
    assert found.reason == "address_forbidden"
    assert found.detail == (
        f"http://example.org/a.jpg redirects to {to_url}; "
        "hosts that the operator allows are asked only if a row names them."
    )


@pytest.mark.parametrize(
    "to_url", ["http://files.internal/b.jpg", "http://other.internal/b.jpg", "http://example.org/"]
)
def test_an_allowed_host_leads_to_itself_to_others_and_to_public_ones(to_url: str) -> None:
    found = target("http://files.internal/a.jpg", to_url)
    assert isinstance(found, Address)
    assert str(found.url) == to_url
