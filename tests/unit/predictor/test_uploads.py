"""The one file of a multipart form."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.predictor.api.refusals import Refusal
from services.predictor.api.uploads import read_upload


async def chunks(body: bytes, size_bytes: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size_bytes):
        yield body[start : start + size_bytes]


def encoded(files: dict[str, bytes], data: dict[str, str] | None = None) -> tuple[str, bytes]:
    request = httpx2.Request("POST", "http://replica", files=files, data=data)
    return request.headers["content-type"], request.read()


@settings(deadline=None)
@given(content=st.binary(max_size=3000), chunk_bytes=st.integers(1, 500))
async def test_any_bytes_arrive_as_they_were_sent(content: bytes, chunk_bytes: int) -> None:
    content_type, body = encoded({"other": b"no", "file": content}, {"label": "grass"})
    assert await read_upload(content_type, chunks(body, chunk_bytes), 3000) == content


async def test_of_two_files_the_first_counts() -> None:
    request = httpx2.Request("POST", "http://replica", files=[("file", b"one"), ("file", b"two")])
    assert await read_upload(request.headers["content-type"], chunks(request.read()), 10) == b"one"


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.99])
async def test_a_form_that_was_cut_is_refused(kept: float) -> None:
    content_type, body = encoded({"file": b"x" * 500})
    with pytest.raises(Refusal) as refused:
        await read_upload(content_type, chunks(body[: int(len(body) * kept)]), 1000)
    assert (refused.value.status, refused.value.error) == (400, "broken_form")


async def test_a_body_that_is_no_form_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        await read_upload("multipart/form-data; boundary=abc", chunks(b"hello"), 1000)
    assert refused.value.status == 400


@pytest.mark.parametrize("content_type", ["", "image/png", "multipart/form-data", "application/x-www-form-urlencoded"])
async def test_another_content_type_is_refused(content_type: str) -> None:
    with pytest.raises(Refusal) as refused:
        await read_upload(content_type, chunks(b"hello"), 1000)
    assert refused.value.status == 415


async def test_a_body_far_above_the_limit_is_not_read_to_its_end() -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * 10_000

    with pytest.raises(Refusal) as refused:
        await read_upload("multipart/form-data; boundary=abc", endless(), 50_000)
    assert refused.value.status == 413
    assert taken < 20
