"""HTTP/1 requests as bytes on a connection, framed rightly and wrongly, as strategies, and answers read from bytes.

What follows a request whose end two readers might see in different places must not be answered: one of them took it for
a body (request smuggling, RFC 9112, 11.2). So each body here may itself read as a request.
"""

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.fuzzing.mutations import mutated
from tests.unit.predictor.small_model import picture

HIDDEN = b"GET /model HTTP/1.1\r\nHost: localhost\r\nX-Hidden: 1\r\n\r\n"
"""A body that reads as a request."""
_FILE = picture(255, 0, 0)
_FORM = b'--abc\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n' + _FILE + b"\r\n--abc--\r\n"
_JSON = json.dumps({"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["x"]}]}).encode()
_LINES = st.sampled_from(
    [
        *(b"POST /predict HTTP/1.1", b"POST /invocations HTTP/1.1", b"POST /v2/models/plants/infer HTTP/1.1"),
        *(b"GET /model?other_than=x&wait_seconds=0 HTTP/1.1", b"GET /%00%ff?%zz=%f HTTP/1.1", b"GET // HTTP/1.1"),
        *(b"POST http://localhost/predict HTTP/1.1", b"OPTIONS * HTTP/1.1", b"CONNECT a:1 HTTP/1.1"),
        *(b"HEAD /model HTTP/1.1", b"POST /predict HTTP/1.0", b"PUT /predict HTTP/1.1", b"BREW /predict HTTP/1.1"),
        *(b"POST /docs/../predict HTTP/1.1", b"GET /" + b"a" * 70_000 + b" HTTP/1.1"),
    ]
)
_NO_LINES = st.sampled_from(
    [
        *(
            b"GET /model HTTP/9.9",
            b"GET /model HTTP/1.1 HTTP/1.1",
            b"GET /model",
            b"get /model HTTP/1.1",
            b"\x16\x03\x01",
        ),
        *(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n",
            b"GET /\x00 HTTP/1.1",
            b"GET\t/model\tHTTP/1.1",
            b"",
            b"GET  /model HTTP/1.1",
        ),
        *(b"GET /mo\xff\xfedel HTTP/1.1", b"GET model HTTP/1.1"),
    ]
)
"""Of no request, or of a strange one."""
_ONE_HOST = st.sampled_from([b"Host: localhost"] * 4 + [b"Host: plants.example", b"hOsT: 127.0.0.1:1", b"Host:"])
_NO_HOST = st.sampled_from(
    [
        *([], [b"Host: localhost"] * 2, [b"Host: localhost", b"host: plants.example"]),
        *([b"Host: a:b:c"], [b"Host: [::1"], [b"Host: \xff"], [b"Host: a@b"]),
    ]
)
_HEADERS = st.sampled_from(
    [
        *(b"Content-Type: multipart/form-data; boundary=abc", b"Content-Type: image/png", b"Content-Type: \xff;;=,"),
        *(b"Content-Type: multipart/form-data; boundary*=utf-8''%ff", b"Content-Type: application/json"),
        *(b"Content-Encoding: gzip", b"Expect: 100-continue", b"Expect: 200-ok", b"TE: trailers", b"Trailer: Host"),
        *(b"Connection: keep-alive", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"Upgrade: websocket"),
        *(
            b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            b"Range: bytes=0-",
        ),
        *(b"traceparent: 00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01", b"traceparent: \xff", b"Origin: null"),
        *(b"Inference-Header-Content-Length: 9999999999999999", b"X-Api-Key: \xe9", b"Authorization: Bearer \x7f"),
        # One that comes whole may be answered, one in pieces is 431: either way it is clear where it ends.
        b"X-Large: " + b"y" * 70_000,
        *(b"X-Many: " + b"y" * 9_000, b"Cookie: " + b"a=b; " * 5_000, b"X-Empty:"),
        b"a: b\r\n" * 2_000 + b"c: d",
    ]
)
_NO_HEADERS = st.sampled_from(
    [
        *(b"No colon", b": no name", b"Sp ace: x", b"Host : localhost", b" folded: x", b"X-Nul: \x00", b"X-Cr: a\rb"),
        *(b"X-Lf: a\nContent-Length: 3", b"X\x00: y", b"\xff: y"),
    ]
)
_SIZES = [
    b"3",
    b"+3",
    b"-1",
    b"0x10",
    b"1e3",
    b"9" * 30,
    b"7, 7",
    b"7, 8",
    b"",
    b" ",
    b"3 3",
    b"3\x0b",
    b"400000",
    b"\xb2",
]
_CODINGS = [
    *(
        b"chunked, chunked",
        b"gzip, chunked",
        b"identity",
        b"xchunked",
        b"chunked, identity",
        b"chunked;q=1",
        b"\x0bchunked",
    ),
    *(b'"chunked"', b"chunked\x00", b"", b"Chunked, gzip", b"chunked,"),
]
_CHUNK_SIZES = [b"zz", b"-5", b"ffffffffffffffffff", b"0x5", b"5 5", b"7fffffffffffffff", b"", b"5;\x00", b"5\n", b"+5"]


@dataclass(frozen=True)
class Sent:
    """What goes over one connection. `most`: how many answers it may have. `pieces`: where it is cut into packets."""

    data: bytes
    most: int
    methods: tuple[bytes, ...]
    pieces: tuple[int, ...] = ()


@st.composite
def connections(draw: st.DrawFn) -> Sent:
    """Return 1 to 3 requests on one connection, the last of which may be cut short or damaged."""
    data, most, methods, clear = b"", 0, [], True
    for _ in range(draw(st.integers(1, 3))):
        request, ends = draw(_requests())
        data += request
        methods.append(request.split(b" ", 1)[0])
        most += clear
        clear = clear and ends
    if draw(st.integers(0, 3)) == 0 and b"HEAD" not in data:
        data = draw(mutated(st.just(data), most=2))
        most, methods = 1 + data.count(b"\n"), []
    pieces = tuple(sorted(draw(st.lists(st.integers(0, len(data)), max_size=4))))
    return Sent(data, most, tuple(methods), pieces)


@st.composite
def _requests(draw: st.DrawFn) -> tuple[bytes, bool]:
    """Return a request, and whether it is clear where it ends."""
    strange = draw(st.integers(0, 4)) == 0
    line = draw(_NO_LINES if strange and draw(st.booleans()) else _LINES)
    headers = draw(st.lists(_HEADERS, max_size=4))
    if strange:
        headers.append(draw(_NO_HEADERS))
    names_host = draw(st.integers(0, 9)) > 0
    headers += [draw(_ONE_HOST)] if names_host else draw(_NO_HOST)
    kind, body = draw(
        st.sampled_from([(b"multipart/form-data; boundary=abc", _FORM), (b"image/png", _FILE)])
        | st.sampled_from([(b"application/json", _JSON), (b"image/png", HIDDEN), (b"application/json", HIDDEN * 3)])
        | st.tuples(st.just(b"multipart/form-data; boundary=abc"), mutated(st.just(_FORM), most=2))
    )
    framing, content, clear = draw(_framings(body))
    headers = draw(st.permutations([*headers, *framing, b"Content-Type: " + kind]))
    head = b"".join(each + b"\r\n" for each in (line, *headers))
    return head + b"\r\n" + content, clear and names_host and not strange and not line.startswith(b"CONNECT")


@st.composite
def _framings(draw: st.DrawFn, body: bytes) -> tuple[list[bytes], bytes, bool]:
    """Return the headers that frame a body, the body as it is sent, and whether both are right."""
    exact = b"Content-Length: %d" % len(body)
    choice = draw(st.integers(0, 9))
    if choice < 3:
        return [exact], body, True
    if choice == 3:
        return [b"Transfer-Encoding: chunked"], _chunked(body, draw(st.integers(1, 4_000))), True
    if choice == 4:
        return [b"Content-Length: " + draw(st.sampled_from(_SIZES))], HIDDEN, False
    if choice == 5:
        return [exact, b"Content-Length: " + draw(st.sampled_from([b"%d" % len(body), b"0", *_SIZES]))], body, False
    if choice == 6:
        length = draw(st.sampled_from([exact, b"Content-Length: 0", b"Content-Length: 4"]))
        return [length, b"Transfer-Encoding: chunked"], draw(st.sampled_from([b"0\r\n\r\n" + HIDDEN, body])), False
    if choice == 7:
        names = st.sampled_from([b"Transfer-Encoding: ", b"Transfer-Encoding : ", b"Transfer-Encoding\t: "])
        coding = draw(names) + draw(st.sampled_from(_CODINGS))
        more = draw(st.sampled_from([[], [exact], [b"Transfer-Encoding: chunked"]]))
        return [coding, *more], b"0\r\n\r\n" + HIDDEN, False
    if choice == 8:
        size = draw(st.sampled_from(_CHUNK_SIZES))
        return [b"Transfer-Encoding: chunked"], size + b"\r\nhello\r\n0\r\n\r\n" + HIDDEN, False
    trailers = (b"Host: evil.example", b"Origin: http://evil.example", b"X: \x00", b"nonsense", b"A: " + b"b" * 70_000)
    trailer = draw(st.sampled_from(trailers))
    ends = trailer not in trailers[2:4]
    return [b"Transfer-Encoding: chunked"], _chunked(body, 1_000)[:-2] + trailer + b"\r\n\r\n", ends


def _chunked(body: bytes, size: int) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def answers_in(came: bytes, methods: tuple[bytes, ...]) -> tuple[list[int], bool]:
    """Return the status of each answer in what came over a connection, and whether the last one is to what could not be
    read. `methods`: of the requests, as far as known. Raises AssertionError if it is anything else than whole answers,
    one after another."""
    statuses: list[int] = []
    ended = False
    while came:
        head, end, rest = came.partition(b"\r\n\r\n")
        assert not ended, came[:200]
        assert end, came[:200]
        line, *lines = head.split(b"\r\n")
        version, status = line.split(b" ", 2)[:2]
        assert version == b"HTTP/1.1", line
        headers: list[Any] = [tuple(each.split(b": ", 1)) for each in lines]
        assert all(len(each) == 2 for each in headers), lines
        if status == b"100":
            came = rest
            continue
        (length,) = [int(value) for name, value in headers if name.lower() == b"content-length"]
        ended = (b"Connection", b"close") in headers and (b"Content-Type", b"text/plain; charset=utf-8") in headers
        if len(statuses) < len(methods) and methods[len(statuses)] == b"HEAD" and not ended:
            length = 0  # but what cannot be read has no method
        assert len(rest) >= length, came[:200]
        statuses.append(int(status))
        came = rest[length:]
    return statuses, ended
