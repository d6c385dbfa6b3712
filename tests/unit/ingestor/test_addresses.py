"""Which URLs and addresses may be fetched."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.public_addresses import forbidden_address
from shared.web.fetchable import AllowedHosts, check_url
from shared.web.rejection import Rejection
from shared.web.urls import Address

NO_HOST = AllowedHosts()


@pytest.mark.parametrize(
    "url",
    ["http://example.org/a.jpg", "https://example.org:8443/a b.jpg?x=1", "HTTP://1.1.1.1/", "http://[2606:4700::1]/"],
)
def test_public_addresses_and_names_may_be_fetched(url: str) -> None:
    assert isinstance(check_url(url, NO_HOST), Address)


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
    rejection = check_url(url, NO_HOST)
    assert isinstance(rejection, Rejection)
    assert rejection.reason == "address_forbidden"
    assert not rejection.retryable


INSIDE_ONLY = {
    "loopback": ["127.0.0.1", "127.8.9.1", "[::1]", "[64:ff9b::7f00:1]"],
    "unspecified": ["0.0.0.0"],
    "private": ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "192.0.2.7", "[fd00::1]", "[fec0::1]"],
    "link-local": ["169.254.169.254", "[fe80::1]"],
    "multicast": ["224.0.0.1", "[ff02::1]"],
    "reserved": ["240.0.0.1", "255.255.255.255", "[64:ff9b:1::1]", "[5f00::1]", "[4000::1]"],
    "special-purpose": ["192.0.0.8", "192.0.0.9", "192.88.99.1", "192.175.48.1", "[2620:4f:8000::1]"],
    "3fff": ["[3fff::1]", "[3fff:fff:ffff::1]"],
    "inside an IPv6": ["[::ffff:127.0.0.1]", "[::ffff:8.8.8.8]", "[2002:7f00:1::]", "[2001:0:1::1]"],
}


@pytest.mark.parametrize("kind", INSIDE_ONLY)
def test_addresses_that_mean_something_only_inside_are_refused(kind: str) -> None:
    for host in INSIDE_ONLY[kind]:
        rejection = check_url(f"http://{host}/a.jpg", NO_HOST)
        assert isinstance(rejection, Rejection), host
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
    assert isinstance(check_url(url, AllowedHosts.parse([entry])), Address) is permitted


@pytest.mark.parametrize(
    ("port", "fetched"),
    [(80, True), (443, True), (1024, True), (65_535, True), (22, False), (81, False), (1023, False)],
)
def test_ports_of_web_servers_are_asked_and_no_others(port: int, fetched: bool) -> None:
    for url in (f"http://1.1.1.1:{port}/", f"https://example.org:{port}/"):
        found = check_url(url, NO_HOST)
        assert isinstance(found, Address) is fetched
        assert fetched or (isinstance(found, Rejection) and f"port {port}" in found.detail)
    assert isinstance(check_url(f"http://1.1.1.1:{port}/", AllowedHosts.parse([f"1.1.1.1:{port}"])), Address)


def test_an_allowed_name_may_be_written_in_unicode_or_ascii() -> None:
    for entry in ("bücher.example", "xn--bcher-kva.example"):
        assert isinstance(check_url("http://BÜCHER.example:81/", AllowedHosts.parse([entry])), Address)


def test_allowed_hosts_compare_names_without_case_or_final_dot() -> None:
    allowed = AllowedHosts.parse(["Images.Example.org"])
    assert allowed.permit("IMAGES.example.org.", 80)


@pytest.mark.parametrize("entry", ["", "http://host", "host/path", "a:b", "host:123456"])
def test_an_entry_that_is_no_host_is_refused_by_name(entry: str) -> None:
    with pytest.raises(ValueError, match=r"host|[Pp]ort"):
        AllowedHosts.parse([entry])
