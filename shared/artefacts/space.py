"""The space of the correction layer in a whole artefact: where an image with these features lies."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper

from shared.contract.artefact import SPACE_MEAN, SPACE_PROJECTION


@dataclass(frozen=True)
class Space:
    """float32: mean [d], projection [d, k]."""

    mean: NDArray[np.float32]
    projection: NDArray[np.float32]

    def place(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the coordinates float32 [k] of features float32 [d]."""
        return np.asarray((features - self.mean) @ self.projection, dtype=np.float32)


def space_of(model: ModelProto) -> Space | None:
    """Return the space of a whole artefact; None if it has none, as in format 1, or not of this shape."""
    names = (SPACE_MEAN, SPACE_PROJECTION)
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer if tensor.name in names}
    if set(found) != set(names) or any(array.dtype != np.float32 for array in found.values()):
        return None
    mean, projection = found[SPACE_MEAN], found[SPACE_PROJECTION]
    return Space(mean, projection) if mean.ndim == 1 and projection.shape[:1] == mean.shape else None
