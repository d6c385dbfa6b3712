"""The form of a request, and the one file in it."""

from collections.abc import Awaitable
from contextlib import suppress

import httpx2
import pytest
from fastapi import Request
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message

from shared.http.forms import MOST_PARTS, Form, FormReader, image_of, read_form
from shared.http.problems import Problem

FORM = "multipart/form-data; boundary=abc"
PART = b'--abc\r\nContent-Disposition: form-data; name="%b"; filename="x"\r\n\r\n%b\r\n'
END = b"--abc--\r\n"


def encoded(files: dict[str, bytes], data: dict[str, str] | None = None) -> tuple[str, bytes]:
    request = httpx2.Request("POST", "http://localhost", files=files, data=data)
    return request.headers["content-type"], request.read()


async def read(content_type: str, body: bytes, chunk_bytes: int = 1000) -> Form:
    """Return the form of a request with this body."""
    chunks = [body[start : start + chunk_bytes] for start in range(0, len(body), chunk_bytes)] or [b""]

    async def receive() -> Message:
        chunk = chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", content_type.encode("latin-1"))]}
    return await read_form(Request(scope, receive))


async def refusal(content_type: str, body: bytes, limit_bytes: int = 1000) -> tuple[int, str]:
    """Return status and code with which the file of this body is refused."""
    with pytest.raises(Problem) as refused:
        (await read(content_type, body)).file(limit_bytes)
    return refused.value.status_code, refused.value.error


@settings(deadline=None)
@given(content=st.binary(max_size=3000), chunk_bytes=st.integers(1, 500))
async def test_any_bytes_arrive_as_they_were_sent(content: bytes, chunk_bytes: int) -> None:
    content_type, body = encoded({"other": b"no", "file": content}, {"label": "Löwenzahn"})
    form = await read(content_type, body, chunk_bytes)
    assert (form.file(3000), form.text("label"), form.text("absent")) == (content, "Löwenzahn", None)


@st.composite
def mangled_forms(draw: st.DrawFn) -> bytes:
    """Return a form of one file, in which some pieces are left out, repeated, or replaced by others."""
    pieces = [b"--abc", b"\r\n", b"Content-Disposition: form-data", b'; name="file"', b'; filename="x.png"', b"\r\n"]
    pieces += [b"Content-Type: image/png\r\n", b"\r\n", draw(st.binary(max_size=20)), b"\r\n", b"--abc", b"--", b"\r\n"]
    others = [
        b"",
        b"\r",
        b"\n",
        b'"',
        b";",
        b" ",
        b"--abc\r\n",
        b"--abc--",
        b'; name="other"',
        b'; filename="y"',
        b"Z: z\r\n",
    ]
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(pieces) - 1))
        piece = pieces[at]
        pieces[at] = draw(st.sampled_from([*others, piece * 2, piece.lower(), piece.upper(), piece[:-1]]))
    return b"".join(pieces)


async def outcome(reading: Awaitable[bytes]) -> bytes | tuple[int, str]:
    try:
        return await reading
    except Problem as problem:
        return problem.status_code, problem.error


@settings(deadline=None, max_examples=1500)
@given(
    body=mangled_forms(), content_type=st.sampled_from([FORM, FORM.replace("; ", ";"), f'{FORM[:-3]}"abc"', f"{FORM}d"])
)
async def test_the_form_of_most_clients_is_read_as_every_other_one(body: bytes, content_type: str) -> None:
    async def in_pieces() -> bytes:
        form = FormReader(content_type)
        form.add(body)
        return form.end().file(15)

    assert await outcome(image_of(content_type, body, 15)) == await outcome(in_pieces())


@pytest.mark.parametrize("name", [b"FILE", b"File", b"file"])
@pytest.mark.parametrize("length", [10, 255, 256, 5000])
async def test_names_of_any_length_and_case_are_read_as_by_the_parser(name: bytes, length: int) -> None:
    head = b'--abc\r\nContent-Disposition: form-data; name="%b"; filename="%b"\r\n' % (name, b"n" * length)
    for kind in (b"image/png", b"i/" + b"p" * 5000):
        body = head + b"Content-Type: %b\r\n\r\nbytes\r\n--abc--\r\n" % kind

        async def in_pieces(body: bytes = body) -> bytes:
            return (await read(FORM, body)).file(15)

        assert await outcome(image_of(FORM, body, 15)) == await outcome(in_pieces())


async def test_the_form_of_most_clients_is_read_in_one_step() -> None:
    for content_type, body in (encoded({"file": b"x" * 50}), (FORM, PART % (b"file", b"y" * 50) + END)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("shared.http.forms.FormReader", None)
            assert len(await image_of(content_type, body, 50)) == 50


async def test_two_files_are_refused_and_none_is_chosen() -> None:
    request = httpx2.Request("POST", "http://localhost", files=[("file", b"one"), ("file", b"two")])
    assert await refusal(request.headers["content-type"], request.read()) == (422, "several_fields")


@pytest.mark.parametrize("kept", [0.3, 0.9])
async def test_a_form_that_was_cut_is_refused(kept: float) -> None:
    content_type, body = encoded({"file": b"x" * 500})
    assert await refusal(content_type, body[: int(len(body) * kept)]) == (400, "broken_form")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (FORM, b"hello"),
        (FORM, b""),
        ("multipart/form-data", b"hello"),
        ("multipart/form-data; boundary=", b"hello"),
        (f"multipart/form-data; boundary={'B' * 300}", b"x"),
        (f"multipart/form-data; boundary={'B' * 60_000}", b"x"),
        ("multipart/form-data; boundary=\xe9\xff", b"x"),
        (FORM, b"--abc\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + END),
        (FORM, b'--abc\r\nContent-Disposition: attachment; name="file"; filename="x"\r\n\r\nx\r\n' + END),
        (FORM, b"--abc\r\nX-Long: " + b"y" * 100_000 + b"\r\n\r\nx\r\n" + END),
        (FORM, b"--abc\r\n" + b"X-Many: 1\r\n" * 10_000 + b"\r\nx\r\n" + END),
        (FORM, PART % (b"other", b"x") * (MOST_PARTS + 1) + END),
    ],
)
async def test_a_broken_form_is_refused(content_type: str, body: bytes) -> None:
    assert await refusal(content_type, body) == (400, "broken_form")


@pytest.mark.parametrize("charset", ["idna", "punycode", "undefined", "rot13", "utf-16", "no such"])
async def test_a_charset_in_the_content_type_changes_nothing(charset: str) -> None:
    form = await read(f"{FORM}; charset={charset}", PART % (b"file", b"x") + PART % (b"label", b"\xc3\xb6") + END)
    assert (form.file(10), form.text("label")) == (b"x", "ö")


async def test_text_that_is_not_utf8_is_refused() -> None:
    form = await read(FORM, PART % (b"label", b"\xff\xfe") + END)
    with pytest.raises(Problem, match="UTF-8"):
        form.text("label")


async def test_text_is_refused_where_it_is_longer_than_described() -> None:
    form = await read(FORM, PART % (b"label", "ö".encode() * 7) + END)
    assert form.text("label", 7) == "ö" * 7
    with pytest.raises(Problem, match=r"label: The text has 7 characters\. Send 6 at most\.") as refused:
        form.text("label", 6)
    assert refused.value.status_code == 422


async def test_a_field_of_text_is_no_file() -> None:
    assert await refusal(*encoded({"other": b"no"}, {"file": "hello"})) == (422, "file_missing")


@pytest.mark.parametrize("content_type", ["", "image/png", "application/x-www-form-urlencoded", "multipart/mixed"])
async def test_another_content_type_is_refused(content_type: str) -> None:
    assert await refusal(content_type, b"hello") == (415, "not_multipart")


async def test_a_file_above_the_limit_is_refused() -> None:
    assert await refusal(*encoded({"file": b"x" * 500}), limit_bytes=499) == (413, "too_large")


PIECES = st.sampled_from(
    [
        b"--abc",
        b"--abc--",
        b"\r\n",
        b"\n",
        b"\r",
        b"--",
        b'Content-Disposition: form-data; name="file"; filename="x"\r\n\r\n',
        b'Content-Disposition: form-data; name="label"\r\n\r\n',
        b"Content-Disposition: form-data; name=\xff\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Type: text/plain; charset=idna\r\n",
        b": \r\n",
        b"\x00",
        b"x" * 5_000,
    ]
)
BOUNDARIES = st.one_of(st.just("abc"), st.text(st.characters(codec="latin-1"), max_size=300))


@settings(deadline=None)
@given(boundary=BOUNDARIES, pieces=st.lists(PIECES | st.binary(max_size=20), max_size=12), chunk=st.integers(1, 6_000))
async def test_any_framing_is_read_or_refused_as_the_fault_of_the_client(
    boundary: str, pieces: list[bytes], chunk: int
) -> None:
    with suppress(Problem):  # any other exception would be answered with 500
        form = await read(f"multipart/form-data; boundary={boundary}", b"".join(pieces), chunk)
        form.text("label")
        form.file(1000)
