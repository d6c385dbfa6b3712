"""What servers answer, byte by byte, and what becomes of it."""

import pytest

from shared.web.rejection import Rejection
from tests.unit.ingestor.raw_server import PICTURE, RawServer, answer, redirect

A = "http://127.0.0.1:{port}/a"


async def outcome(*answers: bytes) -> bytes | Rejection:
    """Return what becomes of a URL whose server gives these bytes."""
    async with RawServer.running({"/a": b"".join(answers)}) as server:
        (found,) = await server.fetched(A)
        return found


async def rejected(*answers: bytes) -> Rejection:
    found = await outcome(*answers)
    assert isinstance(found, Rejection), found
    return found


@pytest.mark.parametrize(
    "target",
    [
        "/a%2Cb.jpg",
        "/foo%27bar%28x%29.jpg?sig=%27",
        "/a.jpg?X-Amz-Credential=AKIA%2F2026%2F&b=a+b%2Bc",
        "/x/../a//%2E/b;c?d=[1]",
    ],
)
async def test_a_server_is_asked_for_exactly_what_the_row_says(target: str) -> None:
    async with RawServer.running({target.partition("?")[0]: answer(), "/to": redirect(target)}) as server:
        assert await server.fetched(f"http://127.0.0.1:{{port}}{target}#part") == [PICTURE]
        assert server.targets == [target]


async def test_a_redirect_is_asked_as_the_server_wrote_it() -> None:
    signed = "/b%2Cc.jpg?sig=%27&x=%2F"
    async with RawServer.running({"/b%2Cc.jpg": answer(), "/a": redirect(signed)}) as server:
        assert await server.fetched(A) == [PICTURE]
        assert server.targets == ["/a", signed]


async def test_the_host_is_asked_by_its_ascii_name_without_a_final_dot() -> None:
    async with RawServer.running({"/a": answer()}) as server:
        assert await server.fetched("http://ONE.example.:{port}/a", "http://ｏne.example:{port}/a") == [PICTURE] * 2
        assert server.fields("Host") == [f"one.example:{server.port}"] * 2


@pytest.mark.parametrize("status", ["200 OK", "203 Non-Authoritative", "200", "200 \x80\xff"])
async def test_a_success_is_taken(status: str) -> None:
    assert await outcome(answer(status)) == PICTURE


@pytest.mark.parametrize("field", ["", "identity", "IDENTITY", "none", "binary", "utf-8", "aws-chunked", "identity,"])
async def test_a_coding_that_changes_nothing_is_taken(field: str) -> None:
    assert await outcome(answer("200 OK", f"Content-Encoding: {field}")) == PICTURE


@pytest.mark.parametrize("fields", [["gzip"], ["GZip"], ["identity, br"], ["x-gzip"], ["identity", "zstd"]])
async def test_a_coding_that_changes_the_bytes_is_named(fields: list[str]) -> None:
    found = await rejected(answer("200 OK", *(f"Content-Encoding: {field}" for field in fields)))
    assert (found.reason, found.retryable) == ("http_error", False)
    assert fields[-1].split()[-1].lower() in found.detail


@pytest.mark.parametrize(
    ("given", "reason", "retryable"),
    [
        (b"", "unreachable", True),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "http_error", True),
        (b"\x00" * 3000, "http_error", True),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "http_error", True),
        (b"HTTP/1.1 99999 OK\r\n\r\n", "http_error", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "http_error", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "http_error", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 3000 + b"\r\n\r\n", "http_error", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", "unreachable", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nshort", "too_large", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", "http_error", True),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "http_error", True),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n", "http_error", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, "unreachable", True),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "http_error", False),
        (b"HTTP/1.1 206 Partial Content\r\nContent-Length: 0\r\n\r\n", "http_error", False),
        (b"HTTP/1.1 302 Found\r\nLocation:\r\nContent-Length: 0\r\n\r\n", "http_error", False),
        (b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n", "http_error", False),
        (redirect("http://" + "a" * 64 + ".example/x.jpg"), "address_forbidden", False),
        (redirect("http://us\udc80er:p@h..example/"), "address_forbidden", False),
        (redirect("http://h\udce9.example/"), "address_forbidden", False),
        (redirect("data:image/png;base64,AAAA"), "address_forbidden", False),
        (redirect("/a"), "too_many_redirects", False),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_what_a_server_should_not_say_is_an_outcome(given: bytes, reason: str, retryable: bool) -> None:
    found = await rejected(given)
    assert (found.reason, found.retryable) == (reason, retryable), found.detail


async def test_a_redirect_that_may_not_be_followed_names_both_addresses() -> None:
    found = await rejected(redirect("http://10.0.0.1/x"))
    assert "/a redirects: 10.0.0.1 is a private address" in found.detail


async def test_redirects_with_bytes_that_are_no_text_are_followed() -> None:
    async with RawServer.running({"/a": redirect("/\udce9"), "/%E9": answer()}) as server:
        assert await server.fetched(A) == [PICTURE]


async def test_a_long_header_field_does_not_hide_a_picture() -> None:
    assert await outcome(answer("200 OK", "Content-Security-Policy: " + "x" * 20_000)) == PICTURE


async def test_a_cookie_is_sent_in_its_download_and_in_no_other() -> None:
    answers = {"/a": redirect("/b", "Set-Cookie: pass=1; Path=/"), "/b": answer("200 OK", "Set-Cookie: more=2")}
    async with RawServer.running(answers) as server:
        await server.fetched(A, A, "http://127.0.0.1:{port}/b")
        assert server.fields("Cookie") == [None, "pass=1", None, "pass=1", None]


@pytest.mark.parametrize(
    "field", ['a="\\', "=", ";", 'a="\udcff\x7f\x80"', "a=" + "\\" * 5000, "a=b; Domain=..", "a=b;" * 900]
)
async def test_an_odd_cookie_is_no_obstacle(field: str) -> None:
    answers = {"/a": redirect("/b", f"Set-Cookie: {field}"), "/b": answer()}
    async with RawServer.running(answers) as server:
        assert await server.fetched(A) == [PICTURE]


async def test_a_password_goes_to_its_host_only_and_into_no_text() -> None:
    answers = {"/a": redirect("http://two.example:{port}/b"), "/b": redirect("http://one.example:{port}/c")}
    async with RawServer.running(answers) as server:
        for path in server.answers:
            server.answers[path] = server.answers[path].replace(b"{port}", str(server.port).encode())
        (found,) = await server.fetched("http://user:s%40cret@one.example:{port}/a")
        assert isinstance(found, Rejection)
        assert found.reason == "not_found"
        assert "cret" not in found.detail
        login = "Basic dXNlcjpzQGNyZXQ="
        assert server.fields("Authorization") == [login, None, login]
        assert not any("cret" in head for head in server.heads)
