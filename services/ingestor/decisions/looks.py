"""What a picture looks like, so that copies are found: resized, encoded again, mirrored, cropped to four fifths. Pure.

A *look* has the hashes of 40 windows of the picture and a thumbnail. A crop shows about what one of the windows shows,
so its own hash is near to that of the window: these pictures are candidates. The thumbnails then decide, laid on each
other where the window lies. Hashes: Zauner 2010, chapter 3.2.1 (pHash), here without the lowest row and column of the
cosine transform, which say little beside brightness.
"""

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
"""64-bit hashes, one for each window; the first is that of the whole picture."""

FARTHEST_BITS = 14
"""Of candidates: other pictures differ in about 32 bits of 64, copies in 14 at most."""
FARTHEST_LEVELS = 20.0
"""Root mean square difference of two thumbnails, in levels of 0..255: copies are below, others mostly above 40."""
MOST_WHERE_FOUND, MOST_AT_SIZE = 2.25, 1.5
"""Times as different two thumbnails may be right where the window lies, and anywhere at its size, before nearby sizes
are tried: of 801 copies of photographs the most was 2.2 and, but for three, 1.4; of other pictures few come so near."""
THUMBNAIL = 32
_GREY, _FREQUENCIES = 128, 9
_AT_ONCE = 1024
"""Pictures that are compared at once: their hashes fit into the cache of a core."""
_SPANS = (
    (0.0, 1.0),
    *((start, 0.92) for start in (0.0, 0.04, 0.08)),
    *((start, 0.84) for start in (0.0, 0.16 / 3, 0.32 / 3, 0.16)),
)
"""Start and size of the windows in one direction, as shares of it."""
_MIRRORED = [0, 3, 2, 1, 7, 6, 5, 4]
"""Which span is where each one was in the mirror image."""
_WINDOWS = [
    (row, column)
    for row, (_, height) in enumerate(_SPANS)
    for column, (_, width) in enumerate(_SPANS)
    if height == width or 1.0 in (height, width)
]
_ROWS, _COLUMNS = (list(each) for each in zip(*_WINDOWS, strict=True))
WINDOWS = len(_WINDOWS)


def _basis(start: float, size: float) -> NDArray[np.float64]:
    """Return the lowest cosines [frequency, pixel] over a window, each integrated over the part of a pixel in it."""
    edges = np.clip((np.arange(_GREY + 1) / _GREY - start) / size, 0, 1)
    waves = np.pi * np.arange(1, _FREQUENCIES)[:, None]
    return np.vstack([np.diff(edges), np.diff(np.sin(waves * edges)) / waves])


_BASIS = np.concatenate([_basis(*span) for span in _SPANS])  # [spans * frequencies, pixels]
_ODD = np.where(np.arange(_FREQUENCIES) % 2, -1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Look:
    """Hashes of the windows of a picture and of its mirror image, and its thumbnail: bytes of uint64 [WINDOWS], of the
    same, and of uint8 [THUMBNAIL, THUMBNAIL, 3]."""

    hashes: bytes
    mirrored: bytes
    thumbnail: bytes


class Candidate(NamedTuple):
    """A picture that may be a copy: its place in the searched ones, and how the looked-for picture lies. `inside`: the
    looked-for picture shows this window of the other, else the reverse; `mirrored`: after it was mirrored."""

    place: int
    bits: int
    window: int
    inside: bool
    mirrored: bool


def look_of(pixels: NDArray[np.uint8]) -> Look:
    """Return the look of uint8 RGB [height, width, 3]."""
    small = cv2.resize(pixels, (_GREY, _GREY), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float64)
    spans = len(_SPANS)
    waves = np.einsum("ik,jk->ij", np.einsum("ij,jk->ik", _BASIS, grey), _BASIS)  # no BLAS: its threads cost more
    waves = waves.reshape(spans, _FREQUENCIES, spans, _FREQUENCIES).transpose(0, 2, 1, 3)
    thumbnail = cv2.resize(small, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return Look(
        _hash(waves[_ROWS, _COLUMNS]).tobytes(),
        _hash((waves[:, _MIRRORED] * _ODD)[_ROWS, _COLUMNS]).tobytes(),
        thumbnail.tobytes(),
    )


def _hash(waves: NDArray[np.float64]) -> Hashes:
    """Return a hash of each [frequency, frequency]: which of the frequencies exceed their median."""
    low = waves[:, 1:, 1:].reshape(len(waves), 64)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(np.uint64)[:, 0]


def read_hashes(data: bytes) -> Hashes:
    """Return the hashes of a look or of several."""
    return np.frombuffer(data, np.uint64).reshape(-1, WINDOWS)


def find_candidates(look: Look, hashes: Hashes) -> list[Candidate]:
    """Return which of the pictures with these hashes [n, WINDOWS] may be copies of a picture, or it a copy of them."""
    found: dict[int, Candidate] = {}
    room = np.empty(_AT_ONCE * WINDOWS, np.uint64)  # taken once: new memory costs more than the comparison
    for start in range(0, len(hashes), _AT_ONCE):
        part = hashes[start : start + _AT_ONCE]
        whole, differing = np.ascontiguousarray(part[:, 0]), room[: part.size]
        for data, mirrored in ((look.hashes, False), (look.mirrored, True)):
            own = read_hashes(data)[0]
            bits = np.bitwise_count(np.bitwise_xor(part, own[0], out=differing.reshape(part.shape)))
            _keep_nearest(found, bits, start, inside=True, mirrored=mirrored)
            bits = np.bitwise_count(np.bitwise_xor(whole, own[:, None], out=differing.reshape(WINDOWS, -1)))
            _keep_nearest(found, bits, start, inside=False, mirrored=mirrored)
    return sorted(found.values(), key=lambda each: (each.bits, each.place))


def _keep_nearest(
    found: dict[int, Candidate], bits: NDArray[np.uint8], start: int, *, inside: bool, mirrored: bool
) -> None:
    """Add what is near enough of the differing bits of the pictures from `start` on, or take it instead of what was
    farther. Bits are [picture, window] with `inside`, else [window, picture]."""
    near = np.flatnonzero(bits <= FARTHEST_BITS)
    rows, columns = (each.tolist() for each in np.divmod(near, bits.shape[1]))
    places, windows = (rows, columns) if inside else (columns, rows)
    for place, window, differing in zip(places, windows, bits.reshape(-1)[near].tolist(), strict=True):
        known = found.get(start + place)
        if known is None or differing < known.bits:
            found[start + place] = Candidate(start + place, differing, window, inside, mirrored)


def is_copy(look: Look, candidate: Candidate, thumbnail: bytes) -> bool:
    """Return whether the candidate with this thumbnail and the picture show the same, laid on each other as found."""
    own, other = _read_thumbnail(look.thumbnail), _read_thumbnail(thumbnail)
    if candidate.mirrored:
        own = np.ascontiguousarray(own[:, ::-1])
    inner, outer = (own, other) if candidate.inside else (other, own)
    (top, height), (left, width) = (_SPANS[index] for index in _WINDOWS[candidate.window])
    if _difference_at(inner, outer, top, left, height, width) > MOST_WHERE_FOUND * FARTHEST_LEVELS:
        return False
    if _least_difference(inner, outer, height, width) > MOST_AT_SIZE * FARTHEST_LEVELS:
        return False
    heights, widths = (sorted({max(size - 0.04, 0.76), size, min(size + 0.04, 1.0)}) for size in (height, width))
    return any(_least_difference(inner, outer, *size) <= FARTHEST_LEVELS for size in product(heights, widths))


def _read_thumbnail(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8).reshape(THUMBNAIL, THUMBNAIL, 3)


def _scaled(pixels: NDArray[np.uint8], height: float, width: float) -> NDArray[np.uint8]:
    size = round(width * THUMBNAIL), round(height * THUMBNAIL)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _difference_at(
    inner: NDArray[np.uint8], outer: NDArray[np.uint8], top: float, left: float, height: float, width: float
) -> float:
    """Return the difference of `inner`, scaled, and this window of `outer`."""
    scaled = _scaled(inner, height, width)
    rows, columns = scaled.shape[:2]
    row, column = min(round(top * THUMBNAIL), THUMBNAIL - rows), min(round(left * THUMBNAIL), THUMBNAIL - columns)
    return float(cv2.norm(scaled, outer[row : row + rows, column : column + columns])) / float(np.sqrt(scaled.size))


def _least_difference(inner: NDArray[np.uint8], outer: NDArray[np.uint8], height: float, width: float) -> float:
    """Return the least difference of `inner`, scaled to this share of `outer`, wherever it lies on it."""
    scaled = _scaled(inner, height, width)
    squares = cv2.matchTemplate(outer, scaled, cv2.TM_SQDIFF)
    return float(np.sqrt(max(0.0, squares.min()) / scaled.size))
