"""Which URLs and addresses may be fetched."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingestor.decisions.addresses import AllowedHosts, forbidden_address, refuse_url

NO_HOST = AllowedHosts()


@pytest.mark.parametrize(
    "url",
    ["http://example.org/a.jpg", "https://example.org:8443/a b.jpg?x=1", "HTTP://1.1.1.1/", "http://[2606:4700::1]/"],
)
def test_public_addresses_and_names_may_be_fetched(url: str) -> None:
    assert refuse_url(url, NO_HOST) is None


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/a.jpg",
        "gopher://example.org/",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "//example.org/a.jpg",
        "example.org/a.jpg",
        "/a.jpg",
        "upload:7f8a1a9e",
        "http://",
        "http:///a.jpg",
        "http://[::1",
        "http://example.org:99999/",
        "",
    ],
)
def test_a_url_without_http_or_a_host_is_refused(url: str) -> None:
    rejection = refuse_url(url, NO_HOST)
    assert rejection is not None
    assert rejection.reason == "address_forbidden"
    assert not rejection.retryable


INSIDE_ONLY = {
    "loopback": ["127.0.0.1", "127.8.9.1", "[::1]", "[64:ff9b::7f00:1]"],
    "unspecified": ["0.0.0.0"],
    "private": ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "192.0.2.7", "[fd00::1]", "[fec0::1]"],
    "link-local": ["169.254.169.254", "[fe80::1]"],
    "multicast": ["224.0.0.1", "[ff02::1]"],
    "reserved": ["240.0.0.1", "255.255.255.255", "[64:ff9b:1::1]"],
    "inside an IPv6": ["[::ffff:127.0.0.1]", "[::ffff:8.8.8.8]", "[2002:7f00:1::]", "[2001:0:1::1]"],
}


@pytest.mark.parametrize("kind", INSIDE_ONLY)
def test_addresses_that_mean_something_only_inside_are_refused(kind: str) -> None:
    for host in INSIDE_ONLY[kind]:
        rejection = refuse_url(f"http://{host}/a.jpg", NO_HOST)
        assert rejection is not None, host
        assert kind in rejection.detail, host


def test_an_ipv4_address_behind_nat64_is_judged_by_itself() -> None:
    assert forbidden_address("64:ff9b::808:808") is None


@given(st.integers(0, 2**32 - 1))
def test_no_forbidden_ipv4_address_gets_in_by_being_mapped(number: int) -> None:
    address = IPv4Address(number)
    assert forbidden_address(f"::ffff:{address}") is not None
    if forbidden_address(str(address)) is not None:
        assert forbidden_address(str(IPv6Address(int(IPv6Address("64:ff9b::")) + number))) is not None


@pytest.mark.parametrize(
    ("entry", "url", "permitted"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000/", True),
        ("127.0.0.1:8000", "http://127.0.0.1:8000/", True),
        ("127.0.0.1:8000", "http://127.0.0.1:8001/", False),
        ("127.0.0.1:80", "http://127.0.0.1/", True),
        ("127.0.0.1", "http://127.0.0.2/", False),
        ("[::1]:80", "http://[::1]/", True),
        ("127.0.0.1", "file://127.0.0.1/etc/passwd", False),
        ("127.0.0.1", "http://127.0.0.1@10.0.0.1/", False),
    ],
)
def test_the_operator_may_allow_a_host_with_or_without_a_port(entry: str, url: str, permitted: bool) -> None:
    assert (refuse_url(url, AllowedHosts.parse([entry])) is None) is permitted


def test_allowed_hosts_compare_names_without_case_or_final_dot() -> None:
    allowed = AllowedHosts.parse(["Images.Example.org"])
    assert allowed.permit("IMAGES.example.org.", 80)


@pytest.mark.parametrize("entry", ["", "http://host", "host/path", "a:b", "host:123456"])
def test_an_entry_that_is_no_host_is_refused_by_name(entry: str) -> None:
    with pytest.raises(ValueError, match=r"host|[Pp]ort"):
        AllowedHosts.parse([entry])
