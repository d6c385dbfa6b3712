"""Feature vectors in memory, by backbone and image bytes."""

from collections import OrderedDict

from services.trainer.model.arrays import Vector


class FeatureCache:
    """At most `capacity` vectors; the least recently used goes first. A vector of 1,000 numbers takes 4 KB."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._vectors: OrderedDict[tuple[str, str], Vector] = OrderedDict()

    def __len__(self) -> int:
        return len(self._vectors)

    def get(self, backbone_id: str, sha256: str) -> Vector | None:
        """The features of the image with these bytes under this backbone; None if they are not here."""
        vector = self._vectors.get((backbone_id, sha256))
        if vector is not None:
            self._vectors.move_to_end((backbone_id, sha256))
        return vector

    def put(self, backbone_id: str, sha256: str, vector: Vector) -> None:
        """Remember the features of an image."""
        self._vectors[backbone_id, sha256] = vector
        self._vectors.move_to_end((backbone_id, sha256))
        while len(self._vectors) > self._capacity:
            self._vectors.popitem(last=False)
