"""The image of a request, as one file of a multipart form."""

import httpx2
import pytest
from fastapi import Request
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message

from services.predictor.api.uploads import read_upload
from shared.http.problems import Problem


def encoded(files: dict[str, bytes], data: dict[str, str] | None = None) -> tuple[str, bytes]:
    request = httpx2.Request("POST", "http://replica", files=files, data=data)
    return request.headers["content-type"], request.read()


async def read(content_type: str, body: bytes, limit_bytes: int = 1000, chunk_bytes: int = 1000) -> bytes:
    """Return what `read_upload` makes of a request with this body."""
    chunks = [body[start : start + chunk_bytes] for start in range(0, len(body), chunk_bytes)] or [b""]

    async def receive() -> Message:
        chunk = chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", content_type.encode())], "app": None}
    return await read_upload(Request(scope, receive), limit_bytes)


@settings(deadline=None)
@given(content=st.binary(max_size=3000), chunk_bytes=st.integers(1, 500))
async def test_any_bytes_arrive_as_they_were_sent(content: bytes, chunk_bytes: int) -> None:
    content_type, body = encoded({"other": b"no", "file": content}, {"label": "grass"})
    assert await read(content_type, body, 3000, chunk_bytes) == content


async def test_the_first_of_two_files_counts() -> None:
    request = httpx2.Request("POST", "http://replica", files=[("file", b"one"), ("file", b"two")])
    assert await read(request.headers["content-type"], request.read()) == b"one"


@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")  # starlette leaves it to the garbage collector
@pytest.mark.parametrize("kept", [0.3, 0.9])
async def test_a_form_that_was_cut_is_refused(kept: float) -> None:
    content_type, body = encoded({"file": b"x" * 500})
    with pytest.raises(Problem) as refused:
        await read(content_type, body[: int(len(body) * kept)])
    assert (refused.value.status_code, refused.value.error) == (422, "file_missing")


async def test_a_body_that_is_no_form_is_refused() -> None:
    for content_type in ("multipart/form-data; boundary=abc", "multipart/form-data"):
        with pytest.raises(Problem) as refused:
            await read(content_type, b"hello")
        assert (refused.value.status_code, refused.value.error) == (400, "broken_form")


async def test_a_field_of_text_is_no_file() -> None:
    content_type, body = encoded({"other": b"no"}, {"file": "hello"})
    with pytest.raises(Problem) as refused:
        await read(content_type, body)
    assert (refused.value.status_code, refused.value.error) == (422, "file_missing")


@pytest.mark.parametrize("content_type", ["", "image/png", "application/x-www-form-urlencoded"])
async def test_another_content_type_is_refused(content_type: str) -> None:
    with pytest.raises(Problem) as refused:
        await read(content_type, b"hello")
    assert (refused.value.status_code, refused.value.error) == (415, "not_multipart")


async def test_a_file_above_the_limit_is_refused() -> None:
    content_type, body = encoded({"file": b"x" * 500})
    with pytest.raises(Problem) as refused:
        await read(content_type, body, limit_bytes=499)
    assert (refused.value.status_code, refused.value.error) == (413, "too_large")
