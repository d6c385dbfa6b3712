"""The images in a ZIP archive from a stranger: looked through within limits before anything of it is unpacked.

An archive of a few kilobytes may unpack to terabytes, or list millions of files. So the end of the archive is read
first (how many files, how long their list is), and then each file to its limit and no further: the size that it claims
counts for nothing.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

from shared.contract.batches import MOST_IMAGES
from shared.contract.event_parts import FILE_NAME_LENGTH
from shared.http.limits import too_large
from shared.http.problems import Problem
from shared.runtime.text import clean_path

END = b"PK\x05\x06"
END_64 = b"PK\x06\x07"
BEGINNINGS = (b"PK\x03\x04", END)
LONGEST_COMMENT = 65_535
END_BYTES = 22
LIST_BYTES = 512 * MOST_IMAGES
"""The longest list of files: 512 bytes for each, name and all."""
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)
"""What zipfile raises for archives that are none, or are cut or changed."""


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file of a batch. `name`: what the client calls it, with its folders, as `clean_path` has it; None if nothing is
    left of that."""

    name: str | None
    data: bytes


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """`longest_file_bytes` of one file, `longest_bytes` of all files of a request together, unpacked."""

    longest_file_bytes: int
    longest_bytes: int


def is_zip(data: bytes | bytearray) -> bool:
    """Return whether a file begins as ZIP archives do."""
    return bytes(data[:4]) in BEGINNINGS


def unpack(data: bytes, limits: ZipLimits, left: int | None = None) -> Iterator[SentFile]:
    """Yield the files of an archive in its order, one at a time; folders and what systems add (`__MACOSX`, names that
    begin with a dot) are left out. What is no image is for its answer to say. `left`: the bytes of the limit that other
    archives of the request have left; None: all.

    Raises:
        Problem: 422 if it cannot be read, or has too many files; 413 if a file, or all together, are too long.
    """
    _check_end(data)
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if _is_wanted(entry)]
            if len(entries) > MOST_IMAGES:
                raise _too_many()
            left = limits.longest_bytes if left is None else left
            for entry in entries:
                found = _read(archive, entry, min(left, limits.longest_file_bytes), limits)
                left -= len(found)
                yield SentFile(clean_path(entry.filename, FILE_NAME_LENGTH), found)
    except DAMAGE as error:
        raise _broken(str(error) or type(error).__name__) from error


def _check_end(data: bytes) -> None:
    """Look at the end of the archive, which says how many files there are: zipfile reads them all at once."""
    at = data.rfind(END, max(0, len(data) - END_BYTES - LONGEST_COMMENT))
    if at < 0 or len(data) - at < END_BYTES:
        raise _broken("its end is missing")
    entries, list_bytes = struct.unpack_from("<HI", data, at + 10)
    if data[max(0, at - 20) : at].startswith(END_64):
        raise _broken("it is in the form for very large archives (ZIP64)")
    if entries > 2 * MOST_IMAGES or list_bytes > LIST_BYTES:  # with folders
        raise _too_many()


def _is_wanted(entry: zipfile.ZipInfo) -> bool:
    parts = entry.filename.split("/")
    return not entry.is_dir() and parts[0] != "__MACOSX" and not parts[-1].startswith(".")


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, longest_bytes: int, limits: ZipLimits) -> bytes:
    if entry.flag_bits & ENCRYPTED:
        raise _broken("a file in it has a password")
    if entry.compress_type not in METHODS:
        raise _broken("a file in it is packed in an unusual way; stored and deflated ones are read")
    with archive.open(entry) as file:
        found = file.read(longest_bytes + 1)
    if len(found) <= longest_bytes:
        return found
    if longest_bytes == limits.longest_file_bytes:
        raise too_large(limits.longest_file_bytes)
    detail = f"The archives unpack to more than {limits.longest_bytes:,} bytes. Send them in several requests."
    raise Problem(413, "too_large", detail)


def _broken(why: str) -> Problem:
    return Problem(422, "broken_zip", f"The ZIP archive cannot be read: {why.rstrip('.')}. Make it again.")


def _too_many() -> Problem:
    detail = f"The archive has too many files; at most {MOST_IMAGES:,} make a batch. Send several archives."
    return Problem(422, "too_many_images", detail)
