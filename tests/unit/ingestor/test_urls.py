"""URLs are asked as they are written; what is none says why, and shows no password."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.web.urls import NotAUrl, join_url, parse_url, without_login


@pytest.mark.parametrize(
    "url",
    [
        "http://h.example/a%2Cb.jpg",
        "http://h.example/foo%27bar%28x%29.jpg?sig=%27",
        "http://h.example/a.jpg?X-Amz-Credential=AKIA%2F2026%2F&X-Amz-Signature=0a%2B%2f",
        "http://h.example/a/%2E%2E/../b//c;p=1,2!$&'()*+@:~_-.[1].jpg?q=a+b/c?d&e[]=1",
        "http://h.example:8080/",
        "https://[2606:4700::1]:8443/x",
        "http://1.1.1.1/%e9",
    ],
)
def test_a_well_formed_url_is_asked_as_it_is_written(url: str) -> None:
    address = parse_url(url)
    assert str(address) == url
    assert str(address.url) == url
    assert url.endswith(address.url.raw_path_qs)


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://h.example/ü a.jpg", "http://h.example/%C3%BC%20a.jpg"),
        ("http://h.example/100%.jpg?%zz%41", "http://h.example/100%25.jpg?%25zz%41"),
        ('http://h.example/a"<>\\^`{|}', "http://h.example/a%22%3C%3E%5C%5E%60%7B%7C%7D"),
        ("http://h.example?q#part", "http://h.example/?q"),
        ("HTTP://H.Example:80", "http://h.example/"),
        (" http://h.example/a.jpg\r\n", "http://h.example/a.jpg"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://☃.example/", "http://xn--n3h.example/"),
        ("http://ex%61mple.org:/", "http://example.org/"),
        ("http://h.example./a", "http://h.example/a"),
        ("http://１.1.1.1/", "http://1.1.1.1/"),
        ("http://h.example/\udce9", "http://h.example/%E9"),
    ],
)
def test_only_what_a_request_cannot_hold_is_changed(url: str, asked: str) -> None:
    assert str(parse_url(url)) == asked


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://" + "a" * 64 + ".example/", "is not a host"),
        ("http://" + "a." * 127 + "example/", "is not a host"),
        ("http://" + "ä" * 60 + ".example/", "is not a host"),
        ("http://a..example/", "'a..example' is not a host"),
        ("http://.example/", "is not a host"),
        ("http://h.example../", "is not a host"),
        ("http://./", "is not a host"),
        ("http://a,b/", "is not a host"),
        ("http://a%2fb/", "is not a host"),
        ("http://%ff/", "is not a host"),
        ("http://a／b/", "is not a host"),
        ("http://2130706433/", "is not a host"),
        ("http://0x7f.1/", "is not a host"),
        ("http://0177.0.0.1/", "is not a host"),
        ("http://[1.1.1.1]/", "is not a host"),
        ("http://[fe80::1%25eth0]/", "is not a host"),
        ("http://a\\@h.example/", "cannot be told apart"),
        ("http://h:１/", "cannot be told apart"),
        ("http://h:0/", "is not a port"),
        ("http://h:" + "9" * 5000 + "/", "is not a port"),
        ("http://h/a\nb", "control character"),
        ("http://h/a\x00b", "control character"),
        ("http://h/" + "a" * 8000, "longer than 8000 bytes"),
        ("http://h/\ud800", "no URL can have"),
        ("", "only http and https"),
        ("x" * 3_000_000, "longer than"),
    ],
    ids=lambda value: value[:60].encode("unicode_escape").decode(),
)
def test_what_is_no_url_says_why(url: str, why: str) -> None:
    with pytest.raises(NotAUrl, match=why):
        parse_url(url)


@pytest.mark.parametrize(
    ("userinfo", "header"),
    [
        ("user:secret", "Basic dXNlcjpzZWNyZXQ="),
        ("us€er:p", "Basic dXPigqxlcjpw"),
        ("u:p%40%2F@", "Basic dTpwQC9A"),
        ("u", "Basic dTo="),
        ("a%3Ab:c", "Basic YTpiOmM="),
        (":", "Basic Og=="),
    ],
)
def test_a_login_becomes_a_header_and_no_part_of_the_text(userinfo: str, header: str) -> None:
    address = parse_url(f"http://{userinfo}@h.example/a")
    assert address.authorization == header
    assert str(address) == "http://h.example/a"
    assert userinfo not in repr(address)
    assert parse_url("http://h.example/a").with_login(userinfo) == address
    assert parse_url("http://@h.example/a").authorization is None


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@h.example/a@b.jpg",
        " HTTP://user:se@cret@h.example/a@b.jpg",
        "http://user:se/cret@h.example/",
        "http://user:x#secret@h.example/?x",
        "ftp://user:secret@h.example",
        "http:user:secret@h.example",
        "http:\\\\user:secret@h.example",
        "user:secret@h.example/a",
        "http://us€er:secret@a..b/",
    ],
)
def test_a_text_without_its_login_shows_no_password(url: str) -> None:
    shown = without_login(url)
    assert "secret" not in shown
    assert "cret" not in shown
    assert shown.endswith(url[url.rindex("@h") + 1 :] if "@h" in url else "a..b/")
    try:
        parse_url(url)
    except NotAUrl as error:
        assert "cret" not in str(error)  # noqa: PT017 - not every text is refused


@pytest.mark.parametrize(
    "url",
    ["http://h.example/a@b.jpg", "http://h.example:80/x@y", "http://[::1]:80/x@y", "http://h/?q=a:b@c", "upload:1"],
)
def test_a_url_without_a_login_stays_as_it_is(url: str) -> None:
    assert without_login(url) == url


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("/b%2Cc?sig=%27", "http://h.example:8080/b%2Cc?sig=%27"),
        ("b", "http://h.example:8080/x/b"),
        ("//o.example/a", "http://o.example/a"),
        ("https://o.example/a/../b", "https://o.example/a/../b"),
        ("?y", "http://h.example:8080/x/a?y"),
    ],
)
def test_a_redirect_is_read_as_it_is_written(location: str, leads_to: str) -> None:
    assert join_url(parse_url("http://u:p@h.example:8080/x/a?z"), location) == leads_to


@given(st.text() | st.text().map("http://{}".format) | st.text().map("http://h.example/{}".format))
def test_every_text_is_an_address_of_ascii_or_refused(text: str) -> None:
    try:
        address = parse_url(text)
    except NotAUrl as error:
        assert str(error)  # noqa: PT017 - both are right
    else:
        assert str(address).isascii()
        assert " " not in str(address)
        assert parse_url(str(address)) == parse_url(str(address).replace("http://", "HTTP://", 1))
        assert address.url.raw_host == address.host
        assert address.authorization is None or "\n" not in address.authorization


@given(st.text(), st.text())
def test_every_redirect_is_a_text_or_refused(base: str, location: str) -> None:
    try:
        join_url(parse_url(f"http://h.example/{base}"), location)
    except NotAUrl as error:
        assert str(error)  # noqa: PT017 - both are right
