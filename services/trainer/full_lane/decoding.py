"""From files in the image folder to prepared images, the input of a backbone."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.trainer.full_lane.image_folder import path_in
from shared.imaging.decoding import UndecodableImage, decode
from shared.imaging.preprocessing import INPUT_SIZE, prepare
from shared.imaging.structure import Pixels
from shared.runtime.errors import TransientError
from shared.storage.verified import HashMismatch, check_sha256

DECODERS = 2
"""Threads; the decoders release the GIL."""


def read_pixels(folder: Path, sha256s: Sequence[str]) -> tuple[dict[str, Pixels], list[str]]:
    """Return prepared images uint8 [96, 96, 3] by sha256, in this order, and the hashes of the files that are not
    images.

    Raises:
        TransientError: a file is missing or damaged; it is deleted, so that it is downloaded again.
    """
    with ThreadPoolExecutor(DECODERS) as pool:
        prepared = pool.map(partial(_prepared, folder), sha256s)
        found = dict(zip(sha256s, prepared, strict=True))
    pixels = {digest: image for digest, image in found.items() if image is not None}
    return pixels, [digest for digest, image in found.items() if image is None]


def stack(pixels: Mapping[str, Pixels], sha256s: Sequence[str]) -> NDArray[np.uint8]:
    """Return the images in this order, uint8 [n, 96, 96, 3]; n may be 0."""
    prepared = [pixels[digest] for digest in sha256s]
    return np.stack(prepared) if prepared else np.zeros((0, INPUT_SIZE, INPUT_SIZE, 3), np.uint8)


def _prepared(folder: Path, sha256: str) -> Pixels | None:
    """Return the image, None if the file is none. A damaged file is deleted: only ever one that was downloaded."""
    path = path_in(folder, sha256)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise TransientError(f"{path} is gone from the image folder. It is downloaded again.") from error
    try:
        check_sha256(data, sha256, str(path))
    except HashMismatch as error:
        path.unlink(missing_ok=True)
        raise TransientError(f"{path} was damaged on disk. It is deleted and downloaded again.") from error
    try:
        return prepare(decode(data))
    except UndecodableImage:
        return None
