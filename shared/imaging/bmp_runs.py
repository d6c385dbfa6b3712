"""Run-length encoded pixels of a BMP file (Windows GDI, "Bitmap Compression")."""

import numpy as np
from numpy.typing import NDArray

from shared.imaging.refusals import damaged, too_complex

MAXIMUM_CODES = 2_000_000

_NEXT_LINE, _END, _SKIP = 0, 1, 2


def run_length_indices(data: bytes, width: int, height: int, bits: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the palette index of each pixel, [height, width] in the order of the file, and whether a run covers it.
    `bits` of one index: 8 or 4.

    Raises:
        UndecodableImage: truncated, if the data end before the picture does; too_complex.
    """
    indices, drawn = bytearray(width * height), bytearray(width * height)
    at = x = y = 0
    for _ in range(MAXIMUM_CODES):
        if y >= height:
            break
        if at + 2 > len(data):
            if x >= width and y == height - 1:
                break
            raise damaged("BMP")
        count, value = data[at], data[at + 1]
        at += 2
        if count:
            run = bytes((value,)) * count if bits == 8 else bytes((value >> 4, value & 15)) * (count // 2 + 1)
        elif value == _NEXT_LINE:
            x, y = 0, y + 1
            continue
        elif value == _END:
            break
        elif value == _SKIP:
            x, y, at = x + (data[at] if at < len(data) else 0), y + (data[at + 1] if at + 1 < len(data) else 0), at + 2
            continue
        else:
            count, size = value, value if bits == 8 else (value + 1) // 2
            run = data[at : at + size]
            if bits == 4:
                run = bytes(nibble for byte in run for nibble in (byte >> 4, byte & 15))
            at += size + size % 2
        painted = max(0, min(count, len(run), width - x))
        start = y * width + x
        indices[start : start + painted] = run[:painted]
        drawn[start : start + painted] = b"\1" * painted
        x += count
    else:
        raise too_complex("BMP", f"more than {MAXIMUM_CODES:,} runs", f"{MAXIMUM_CODES:,}")
    shape = (height, width)
    return np.frombuffer(indices, np.uint8).reshape(shape), np.frombuffer(drawn, np.bool_).reshape(shape)
