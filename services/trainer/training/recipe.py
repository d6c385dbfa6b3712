"""What a kind of backbone has to say about itself."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import nn

Setting = str | int | float


class GraphNetwork(Protocol):
    """A network that is an ONNX graph already, and is not exported from torch."""

    @property
    def onnx(self) -> bytes:
        """The graph `image` uint8 [batch, size, size, 3] -> `features` float32 [batch, d]."""

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return float32 [n, d] computed by another way than by `onnx`, for the parity check."""


@runtime_checkable
class LearnedInEpochs(Protocol):
    """A network that says how it was learned. curves: figures of each epoch, by name, such as "loss"."""

    curves: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class BackboneRecipe(ABC):
    """The training of one kind of backbone; the fields of the frozen dataclass are its hyper-parameters.

    mirror_proof: an image and its mirror image have the same features, so the head need not see both.
    supervised: it learns from labels, too. Then features of images that it has learned say little about others, and the
    head's temperature is fitted to images that a second backbone has not seen.
    """

    mirror_proof: ClassVar[bool] = False
    supervised: ClassVar[bool] = False

    @abstractmethod
    def learn(self, images: NDArray[np.uint8], labels: Sequence[str], seed: int) -> nn.Module | GraphNetwork:
        """Train a network from uint8 [batch, 96, 96, 3] to float32 [batch, d]; equal input gives equal weights.
        `labels` are those of the images [n], and empty unless the recipe is supervised."""

    def part_widths(self, features: int) -> tuple[int, ...]:
        """Return how many of the features, in order, belong to each part; each part gets a head of its own."""
        return (features,)

    def contents(self) -> Mapping[str, Setting]:
        """Return what beside the fields shapes the backbone, for example the hash of a file: part of the version."""
        return {}
