"""Which web addresses people may name."""

import pytest

from shared.web.addresses import refuse_address


@pytest.mark.parametrize(
    "address", ["https://a.example/one.jpg", "http://a.example:8080/x?y=1", "HTTP://[2001:db8::1]/"]
)
def test_web_addresses_are_taken(address: str) -> None:
    assert refuse_address(address) is None


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("ftp://a.example/one.jpg", "no web address"),
        ("file:///etc/passwd", "no web address"),
        ("one.jpg", "no web address"),
        ("http://", "no web address"),
        ("http://[::1", "no web address"),
        ("http://a.example/a b", "no web address"),
        ("http://a.example/\x00", "no web address"),
        ("http://anna:secret@a.example/one.jpg", "would be kept"),
        ("http://@a.example/one.jpg", "would be kept"),
        ("http://a.example/" + "x" * 2000, "longer than 2000"),
    ],
)
def test_other_texts_are_refused_with_a_reason(address: str, why: str) -> None:
    assert why in (refuse_address(address) or "")
