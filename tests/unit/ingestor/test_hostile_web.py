"""Any URL and any answer end in an outcome: thousands of both, invented by hypothesis."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingestor.decisions.outcomes import rejected
from services.ingestor.settings import IngestorSettings
from shared.messaging.codec import decode, encode
from shared.testing import image_registered
from shared.web.download.downloader import Downloader
from shared.web.rejection import Rejection
from tests.profiles import cases
from tests.unit.ingestor.names import Names

CASES = cases(2000)
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
PORT = "{port}"
SECONDS = 0.25

hosts = st.sampled_from(
    [
        "127.0.0.1",
        "one.example",
        "ONE.example.",
        "öne.example",
        "[::1]",
        "10.0.0.1",
        "a" * 64,
        "x..y",
        "%6fne.example",
        "",
    ]
)
letters = st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.sampled_from("/?#@:%\\[]&='\"<>|\u202e．")
odd = st.text(letters, max_size=30) | st.text(letters, max_size=30) | st.text(max_size=10)
PASSWORD = "".join(map(chr, range(ord("q"), ord("z"))))
"""No literal: hypothesis tries the texts that it finds in this file as paths, too."""
logins = st.sampled_from(["", "", "us:{}@", "us:%zz{}@", "us€r:{}@", "@", ":@", "us:x/{}@", "us:x?{}@"]).map(
    lambda login: login.format(PASSWORD)
)
urls = st.builds(
    "{}{}{}:{}/{}".format,
    st.sampled_from(["http://", "http://", "HTTP:\\\\", "https://", "ftp://", " http://", "//", "http:/", ""]),
    logins,
    hosts,
    st.sampled_from([PORT, PORT, PORT, "", "0", "22", "99999", "x"]),
    odd,
)
plain = st.builds("http://{}127.0.0.1:{}/{}".format, logins, st.just(PORT), odd | st.text("a/?&=%+é ", max_size=9))
"""URLs whose server is asked: their host is right."""

values = st.one_of(
    st.binary(max_size=40),
    urls.map(lambda url: url.replace(PASSWORD, "").encode("utf-8", "replace")),
    st.sampled_from(
        [
            *(b"", b"0", b"-1", b"9", b"99999999999999999999", b"1, 2", b"0x10", b"+5", b"chunked", b"gzip, chunked"),
            *(
                b"identity",
                b"GZIP",
                b"br;q=1",
                b"close",
                b"keep-alive",
                b"upgrade",
                b"\xff\xfe",
                b"a=b; Path=/",
                b'a="\\',
            ),
            *(
                b"/a",
                b"?",
                b"//",
                b"http://[",
                b"https:",
                b"x" * 40_000,
                b"bytes 0-1/2",
                b"text/html; charset=nonsense",
            ),
        ]
    ),
)
names = st.one_of(
    st.sampled_from(
        [
            *(b"Content-Length", b"Transfer-Encoding", b"Content-Encoding", b"Location", b"Location", b"Set-Cookie"),
            *(b"Connection", b"Content-Type", b"Upgrade", b"Content-Range", b"Retry-After", b"Trailer"),
        ]
    ),
    st.binary(max_size=10),
)
statuses = st.one_of(
    st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.1 302 Found"]),
    st.integers(100, 599).map(lambda status: b"HTTP/1.1 %d X" % status),
    st.sampled_from([b"HTTP/1.0 200", b"HTTP/2 200", b"ICY 200 OK", b"HTTP/1.1 -1 X", b"HTTP/1.1 999999 X", b""]),
    st.binary(max_size=60),
)
fields = st.lists(st.tuples(names, values), max_size=5)
bodies = st.binary(max_size=200) | st.sampled_from(
    [b"ZZ\r\n", b"5\r\nabcde\r\n0\r\n\r\n", b"ffffffffffffffff\r\n", b"\x1f\x8b\x08"]
)
ends = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"])


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """An answer that is more or less one of HTTP, or any bytes at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=300))
    end = draw(ends)
    head = [draw(statuses), *(name + b": " + value for name, value in draw(fields))]
    return end.join(head) + end + draw(st.sampled_from([end, end, end, b""])) + draw(bodies)


class AnyWeb:
    """A server on 127.0.0.1 and a downloader, in a loop of their own."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.unhandled: list[dict[str, Any]] = []
        self._answers: list[bytes] = []
        self.asked = 0
        self._holds = False

    def start(self) -> None:
        loop = self.runner.get_loop()
        loop.set_exception_handler(lambda _, context: self.unhandled.append(context))
        self._server = self.runner.run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        limits = IngestorSettings(
            allowed_hosts=(f"127.0.0.1:{self.port}", f"one.example:{self.port}"),
            fetch_tries=1,
            fetch_total_seconds=SECONDS,
            max_image_bytes=100,
        )
        self._open = Downloader.open(limits, Names(["127.0.0.1"]))
        self.downloads = self.runner.run(self._open.__aenter__())

    def end(self) -> None:
        self.runner.run(self._open.__aexit__(None, None, None))
        self._server.close()
        self.runner.close()

    def fetch(self, url: str, given: Sequence[bytes], holds: bool) -> bytes | Rejection:
        """Fetch from servers that give these answers in their turn; `holds`: the last connection stays open."""
        self._answers, self._holds = list(given), holds
        return self.runner.run(self.downloads.fetch(url.replace(PORT, str(self.port))))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            writer.write(self._answers.pop(0) if self._answers else b"")
            await writer.drain()
            if self._holds and not self._answers:
                await reader.read()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture(scope="module")
def web() -> Iterator[AnyWeb]:
    web = AnyWeb()
    web.start()
    yield web
    web.end()


def in_words(rejection: Rejection) -> str:
    """Return what a person reads of it, as it comes out of the log."""
    event = rejected(image_registered(url="http://h/"), rejection, NOW)
    record = decode(event.topic, encode(event, "pappus/jobs"))
    assert record == event
    return event.detail


@pytest.mark.slow
@pytest.mark.timeout(300)
@settings(max_examples=CASES, deadline=None)
@given(plain | urls, st.lists(answers(), max_size=4), st.integers(0, 49))
def test_every_url_and_every_answer_end_in_an_outcome(
    web: AnyWeb, url: str, given_answers: list[bytes], hold: int
) -> None:
    found = web.fetch(url, given_answers, holds=hold == 0)
    if isinstance(found, Rejection):
        words = in_words(found)
        assert words.isprintable()
        assert re.search(r"\w", words)
        assert PASSWORD not in words
    else:
        assert len(found) <= 100
    assert not web.unhandled


@pytest.mark.slow
def test_most_of_these_cases_reach_the_server(web: AnyWeb) -> None:
    assert web.asked > CASES / 4
