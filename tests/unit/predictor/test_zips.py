"""ZIP archives from strangers: their images, and what is refused before it is unpacked."""

import io
import struct
import zipfile
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.predictor.api.batches.received import ZIPS
from services.predictor.api.batches.zips import ZipLimits, is_zip, unpack
from shared.contract.batches import MOST_IMAGES
from shared.http.problems import Problem

LIMITS = ZipLimits(longest_file_bytes=1000, longest_bytes=2500)


def unpacked(data: bytes) -> list[tuple[str | None, bytes]]:
    return [(file.name, file.data) for file in unpack(data, LIMITS)]


def archive(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return buffer.getvalue()


def refused(data: bytes, limits: ZipLimits = LIMITS) -> tuple[int, str]:
    with pytest.raises(Problem) as caught:
        list(unpack(data, limits))
    assert caught.value.detail.endswith(".")
    return caught.value.status_code, caught.value.error


def test_files_come_in_their_order_without_what_systems_add() -> None:
    data = archive({"b.jpg": b"one", "day/": b"", "day/a.jpg": b"two", "__MACOSX/b.jpg": b"x", "day/.DS_Store": b"x"})
    assert is_zip(data)
    assert unpacked(data) == [("b.jpg", b"one"), ("day/a.jpg", b"two")]
    assert ZIPS[0] == "application/zip"


def test_an_archive_without_files_is_one_without_images() -> None:
    data = archive({})
    assert is_zip(data)
    assert unpacked(data) == []


def test_a_name_leads_nowhere_and_has_an_end() -> None:
    data = archive(
        {"../../etc/one.jpg": b"1", "C:\\day\\two.jpg": b"2", "\x1b[2J\u202e.jpg": b"3", f"{'x' * 300}.jpg": b"4"}
    )
    assert [name for name, _ in unpacked(data)] == ["etc/one.jpg", "C:/day/two.jpg", "[2J.jpg", f"{'x' * 196}.jpg"]


def test_a_file_that_unpacks_to_too_much_is_read_to_its_limit_only() -> None:
    bomb = archive({"bomb": b"\0" * 50_000_000})
    assert len(bomb) < 100_000
    assert refused(bomb) == (413, "too_large")


def test_many_files_that_unpack_to_too_much_together_are_refused() -> None:
    assert refused(archive({str(number): b"\0" * 900 for number in range(3)})) == (413, "too_large")
    assert len(list(unpack(archive({str(number): b"\0" * 800 for number in range(3)}), LIMITS))) == 3


def test_a_claimed_size_is_not_believed() -> None:
    data = bytearray(archive({"one": b"\0" * 5000}))
    at = data.rfind(b"PK\x01\x02")
    struct.pack_into("<I", data, at + 24, 10)  # uncompressed size in the list of files
    assert refused(bytes(data))[1] in ("too_large", "broken_zip")


def test_too_many_files_are_refused_before_they_are_listed() -> None:
    data = bytearray(archive({"one": b"1"}))
    struct.pack_into("<H", data, data.rfind(b"PK\x05\x06") + 10, 2 * MOST_IMAGES + 1)
    assert refused(bytes(data)) == (422, "too_many_images")


def test_more_images_than_a_batch_has_are_refused() -> None:
    data = archive({str(number): b"" for number in range(MOST_IMAGES + 1)}, zipfile.ZIP_STORED)
    assert refused(data, ZipLimits(1000, 1_000_000)) == (422, "too_many_images")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_packings_are_refused(method: int) -> None:
    assert refused(archive({"one": b"\0" * 100}, method)) == (422, "broken_zip")


def test_a_password_is_refused() -> None:
    data = bytearray(archive({"one": b"1"}))
    data[data.find(b"PK\x03\x04") + 6] |= 1
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    assert refused(bytes(data)) == (422, "broken_zip")


def test_the_form_for_very_large_archives_is_refused() -> None:
    data = archive({"one": b"1"})
    at = data.rfind(b"PK\x05\x06")
    locator = b"PK\x06\x07" + bytes(16)
    assert refused(data[:at] + locator + data[at:]) == (422, "broken_zip")


def outcome(data: bytes) -> str:
    """Return how many bytes an archive unpacks to, or why it is refused."""
    try:
        return str(sum(len(file.data) for file in unpack(data, LIMITS)))
    except Problem as problem:
        return problem.error


@given(st.integers(0, 400), st.binary(max_size=12), st.integers(0, 400))
def test_a_cut_or_changed_archive_is_refused_or_read(at: int, junk: bytes, end: int) -> None:
    whole = archive({"one.jpg": b"\1\2\3" * 40, "two.jpg": b"\4" * 60})
    data = whole[:at] + junk + whole[at + len(junk) :]
    found = outcome(data[: len(data) - end % 3])
    assert found in ("broken_zip", "too_large", "too_many_images") or int(found) <= LIMITS.longest_bytes
