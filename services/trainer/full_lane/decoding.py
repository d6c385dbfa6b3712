"""From files in the image folder to prepared images, the input of a backbone."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np

from services.trainer.full_lane.image_folder import path_in
from services.trainer.model.arrays import Images
from shared.imaging.decoding import UndecodableImage, decode
from shared.imaging.preprocessing import INPUT_SIZE, prepare
from shared.imaging.structure import Pixels
from shared.runtime.errors import TransientError
from shared.storage.verified import HashMismatch, check_sha256

DECODERS = 2
"""Threads; the decoders release the GIL."""
IN_MEMORY = 500_000_000
"""Bytes: 18,000 prepared images."""


@dataclass(frozen=True)
class PreparedImages:
    """Prepared images uint8 [n, 96, 96, 3] in the order of their sha256s, and those of the files that are no images."""

    sha256s: tuple[str, ...]
    pixels: Images
    undecodable: tuple[str, ...]

    def chosen(self, sha256s: Sequence[str]) -> Images:
        """Return some of them, uint8 [k, 96, 96, 3]; k may be 0."""
        row = {digest: at for at, digest in enumerate(self.sha256s)}
        return self.pixels[[row[digest] for digest in sha256s]]


def read_pixels(folder: Path, sha256s: Sequence[str]) -> PreparedImages:
    """Return the images, prepared, in this order. More than IN_MEMORY bytes of them lie in a file without a name in
    `folder`, so that the machine keeps in memory what is used, and the disk is free again once they are forgotten.

    Raises:
        TransientError: a file is missing or damaged; it is deleted, so that it is downloaded again.
    """
    pixels = _room_for(len(sha256s), folder)
    found: list[str] = []
    undecodable: list[str] = []
    with ThreadPoolExecutor(DECODERS) as pool:
        for digest, image in zip(sha256s, pool.map(partial(_prepared, folder), sha256s), strict=True):
            if image is None:
                undecodable.append(digest)
            else:
                pixels[len(found)] = image
                found.append(digest)
    return PreparedImages(tuple(found), pixels[: len(found)], tuple(undecodable))


def _room_for(images: int, folder: Path) -> Images:
    shape = (images, INPUT_SIZE, INPUT_SIZE, 3)
    if prod(shape) <= IN_MEMORY:
        return np.zeros(shape, np.uint8)
    with TemporaryFile(dir=folder) as file:  # the map keeps the bytes once it is closed
        return np.memmap(file, np.uint8, "w+", shape=shape)


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
