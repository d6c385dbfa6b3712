"""What heads and layers answer about images that are asked again and again. What is known is not computed again."""

from collections.abc import Collection, Sequence
from hashlib import sha256
from threading import Lock
from uuid import UUID

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, vstack  # type: ignore[import-untyped]

from services.trainer.model.arrays import Floats, Indices, Vectors, stack_features
from services.trainer.model.correction_layer import CorrectionLayer, nearest_cosine, place_units, weights_of
from services.trainer.model.head import Head, probabilities
from services.trainer.model.layer_space import snap_to_grid
from shared.contract.artefact import CorrectionEntry

HEADS = 3
"""Heads, with their spaces, about which something is kept: of candidate, champion and anchor."""
SPARE = 256
"""So many images, or rows, more than twice the asked ones are kept before those that were not asked for are
forgotten."""
CHUNK = 1024


class KnownImages:
    """Answers as `predict_probabilities` does. Candidates of the fast lane differ by few rows: then only the cosines to
    these rows are computed, and only the images that were never asked about. The memory changes an answer by no more
    than the rounding of 32-bit sums."""

    def __init__(self) -> None:
        self._turn = Lock()
        self._under: LRUCache[bytes, _UnderHead] = LRUCache(HEADS)

    def forget(self) -> None:
        """Keep nothing of any image."""
        with self._turn:
            self._under.clear()

    def predict_probabilities(
        self,
        head: Head,
        layer: CorrectionLayer,
        digests: Sequence[str],
        vectors: Vectors,
        *,
        image_ids: Sequence[UUID] = (),
        without: Collection[CorrectionEntry] = (),
    ) -> Floats:
        """Return probabilities float32 [n, c] for the images with these sha256s, whose features are among `vectors`.

        image_ids: those of the images, if each is to be answered without its own corrections. `without`: corrections
        that no image is answered with. The layer has an end: without one each row is near to every image.
        """
        with self._turn:
            key = _key(head, layer)
            if key not in self._under:
                self._under[key] = _UnderHead(head, layer)
            logits, near = self._under[key].find(digests, vectors, layer)
        near.data = weights_of(near.data, layer.kappa, layer.end).astype(np.float32)
        _leave_out(near, layer.entries, image_ids, without)
        return probabilities(logits + np.asarray(near @ layer.coefficients, dtype=np.float32))


class _UnderHead:
    """Logits and places of images under one head and space, and their cosines to the rows of its layers."""

    def __init__(self, head: Head, layer: CorrectionLayer) -> None:
        self._head = head
        self._nearest = nearest_cosine(layer.kappa, layer.end)
        self._images: dict[str, int] = {}
        self._rows: dict[bytes, int] = {}
        width = layer.centers.shape[1]
        self._logits: Floats = np.zeros((0, len(head.labels)), np.float32)
        self._places: NDArray[np.float64] = np.zeros((0, width))
        self._centers: NDArray[np.float64] = np.zeros((0, width))
        self._near = csr_array((0, 0), dtype=np.float64)

    def find(self, digests: Sequence[str], vectors: Vectors, layer: CorrectionLayer) -> tuple[Floats, csr_array]:
        """Return the head's logits [n, c], and the cosines [n, m] of the rows that are near."""
        keys = [row.tobytes() for row in layer.centers]
        self._add_rows({key: at for at, key in enumerate(keys) if key not in self._rows}, layer)
        self._add_images([digest for digest in dict.fromkeys(digests) if digest not in self._images], vectors, layer)
        images = np.array([self._images[digest] for digest in digests], dtype=np.intp)
        rows = np.array([self._rows[key] for key in keys], dtype=np.intp)
        logits, near = self._logits[images], self._near[images][:, rows]
        if len(self._images) > 2 * len(digests) + SPARE:
            self._keep_images(np.unique(images))
        if len(self._rows) > 2 * len(keys) + SPARE:
            self._keep_rows(np.unique(rows))
        return logits, near.tocsr()

    def _add_rows(self, new: dict[bytes, int], layer: CorrectionLayer) -> None:
        if not new:
            return
        centers = layer.centers[list(new.values())].astype(np.float64)
        self._near = hstack([self._near, self._cosines(self._places, centers)], format="csr")
        self._rows |= {key: len(self._centers) + at for at, key in enumerate(new)}
        self._centers = np.concatenate((self._centers, centers))

    def _add_images(self, new: list[str], vectors: Vectors, layer: CorrectionLayer) -> None:
        if not new:
            return
        features = stack_features([vectors[digest] for digest in new], len(self._head.mean))  # [v, d]
        places = snap_to_grid(place_units(layer, features)).astype(np.float64)
        self._near = vstack([self._near, self._cosines(places, self._centers)], format="csr")
        self._images |= {digest: len(self._places) + at for at, digest in enumerate(new)}
        self._places = np.concatenate((self._places, places))
        self._logits = np.concatenate((self._logits, self._head.logits(features)))

    def _cosines(self, places: NDArray[np.float64], centers: NDArray[np.float64]) -> csr_array:
        """Return those of at least `nearest`, [n, m]. Both lie on a grid, so sums of their products are exact."""
        parts = [csr_array((0, len(centers)), dtype=np.float64)]
        for at in range(0, len(places), CHUNK):
            cosines = places[at : at + CHUNK] @ centers.T
            images, rows = np.nonzero(cosines > self._nearest)
            parts.append(csr_array((cosines[images, rows], (images, rows)), shape=cosines.shape))
        return vstack(parts, format="csr")

    def _keep_images(self, kept: Indices) -> None:
        digests = list(self._images)
        self._images = {digests[image]: at for at, image in enumerate(kept)}
        self._logits, self._places, self._near = self._logits[kept], self._places[kept], self._near[kept]

    def _keep_rows(self, kept: Indices) -> None:
        keys = list(self._rows)
        self._rows = {keys[row]: at for at, row in enumerate(kept)}
        self._centers, self._near = self._centers[kept], self._near[:, kept]


def _key(head: Head, layer: CorrectionLayer) -> bytes:
    """Return what names the head with its space and the end of its layers."""
    arrays = [head.mean, head.scale, head.weights, head.bias]
    arrays += [] if layer.space is None else [layer.space.mean, layer.space.projection]
    named = sha256(repr((head.labels, head.temperature, layer.kappa, layer.end)).encode())
    for array in arrays:
        named.update(np.ascontiguousarray(array).data)
    return named.digest()


def _leave_out(
    near: csr_array, entries: Sequence[CorrectionEntry], image_ids: Sequence[UUID], without: Collection[CorrectionEntry]
) -> None:
    """Set the weights [n, m] of rows to 0 that do not count."""
    if without:
        counts = np.array([entry not in without for entry in entries], dtype=np.float32)  # [m]
        near.data *= counts[near.indices]
    if len(image_ids):
        position = {image_id: at for at, image_id in enumerate(image_ids)}
        own = np.array([position.get(image_id, -1) for image_id, _ in entries], dtype=np.intp)  # [m]: whose row it is
        asked = np.repeat(np.arange(near.shape[0]), np.diff(near.indptr))  # about which image each weight is
        near.data[own[near.indices] == asked] = 0
