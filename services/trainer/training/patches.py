"""`patches`: whitened k-means patch filters (Coates and Ng 2012, "Learning Feature Representations with K-means").

Learned without labels in about a second, and a plain convolutional network once learned.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import nn

from services.trainer.training.pooling import QuadrantMeans

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Patches:
    """Patch side and stride in pixels; `dimensions` principal components are kept, `filters` centroids learned.

    `threshold` is subtracted from each cosine before the rectifier. The floors keep flat patches from being amplified;
    they are in squared units of pixel values 0..1 (whitening) and of the whitened patch (norm).
    """

    patch: int = 6
    stride: int = 3
    dimensions: int = 48
    filters: int = 200
    sampled_patches: int = 60_000
    iterations: int = 10
    threshold: float = 0.25
    whitening_floor: float = 1e-3
    norm_floor: float = 1e-3

    def learn(self, images: NDArray[np.uint8], seed: int) -> nn.Module:
        """See `BackboneRecipe.learn`; only numpy does the learning, so torch's kernels do not affect the weights."""
        generator = np.random.default_rng(seed)
        patches = sample_patches(images, self.patch, self.sampled_patches, generator)  # [s, 3*p*p], values 0..1
        whitening, offset = whiten(patches, self.dimensions, self.whitening_floor)  # [3*p*p, w], [w]
        whitened = patches @ whitening - offset  # [s, w]
        whitened /= np.sqrt(np.square(whitened).sum(axis=1, keepdims=True) + self.norm_floor)
        centroids = spherical_kmeans(whitened, self.filters, self.iterations, generator)  # [k, w]
        return PatchNetwork(self, whitening, offset, centroids, images.shape[1])


def sample_patches(images: NDArray[np.uint8], side: int, count: int, generator: np.random.Generator) -> Matrix:
    """Sample random patches of uint8 [n, h, w, 3] as float32 [count, 3*side*side], values 0..1, channel first."""
    windows = sliding_window_view(images, (side, side), axis=(1, 2))  # [n, rows, columns, 3, side, side]
    positions = (generator.integers(0, limit, count) for limit in windows.shape[:3])
    return (windows[tuple(positions)].reshape(count, -1) / np.float32(255)).astype(np.float32)


def whiten(patches: Matrix, dimensions: int, floor: float) -> tuple[Matrix, Matrix]:
    """Return the PCA whitening of patches without their brightness: W [p, w] and o [w] such that `x @ W - o` is white.

    A patch's brightness (its mean over pixels and channels) depends more on the weather than on the plant; its removal
    is linear, and so part of W.
    """
    size = patches.shape[1]
    without_brightness = np.eye(size) - 1.0 / size
    centred = (patches - patches.mean(axis=1, keepdims=True)).astype(np.float64)
    mean = centred.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov(centred, rowvar=False))
    strongest = slice(None, -dimensions - 1, -1)  # eigh sorts ascending
    whitening = axes[:, strongest] / np.sqrt(np.maximum(variances[strongest], 0) + floor)
    return (without_brightness @ whitening).astype(np.float32), (mean @ whitening).astype(np.float32)


def spherical_kmeans(points: Matrix, clusters: int, iterations: int, generator: np.random.Generator) -> Matrix:
    """Return centroids of unit length [k, w] by cosine; a cluster without points starts again at a random point."""
    centroids = _normalise(points[generator.choice(len(points), clusters, replace=len(points) < clusters)])
    for _ in range(iterations):
        nearest = (points @ centroids.T).argmax(axis=1)
        members = (nearest == np.arange(clusters)[:, None]).astype(np.float32)  # [k, s]
        sums = members @ points  # [k, w]
        lost = np.linalg.norm(sums, axis=1) < 1e-6
        sums[lost] = points[generator.integers(0, len(points), int(lost.sum()))]
        centroids = _normalise(sums)
    return centroids


def _normalise(rows: Matrix) -> Matrix:
    unit: Matrix = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-6))
    return unit


class PatchNetwork(nn.Module):
    """Convolution (whitening folded in), division by the norm over channels, 1x1 convolution (cosine with each
    centroid, minus the threshold), rectifier, mean over 2x2 quadrants beside the maximum: five numbers a filter."""

    def __init__(self, recipe: Patches, whitening: Matrix, offset: Matrix, centroids: Matrix, image_size: int) -> None:
        super().__init__()
        side, width, filters = recipe.patch, whitening.shape[1], len(centroids)
        self.whiten = nn.Conv2d(3, width, side, recipe.stride)
        self.match = nn.Conv2d(width, filters, 1)
        self.whiten.bias = nn.Parameter(torch.from_numpy(-offset))
        self.match.bias = nn.Parameter(torch.full((filters,), -recipe.threshold))
        self.norm_floor = recipe.norm_floor
        self.quadrants = QuadrantMeans((image_size - side) // recipe.stride + 1)
        with torch.no_grad():
            self.whiten.weight.copy_(torch.from_numpy(whitening.T.reshape(width, 3, side, side) / np.float32(255)))
            self.match.weight.copy_(torch.from_numpy(centroids[:, :, None, None]))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return float32 [b, 5 * filters] for uint8 [b, size, size, 3]."""
        pixels = image.permute(0, 3, 1, 2).to(torch.float32)  # [b, 3, size, size], 0..255
        whitened = self.whiten(pixels)  # [b, w, positions, positions]
        norm = torch.sqrt((whitened * whitened).sum(dim=1, keepdim=True) + self.norm_floor)
        activations = torch.relu(self.match(whitened / norm))  # [b, k, positions, positions]
        quadrants = self.quadrants(activations).flatten(1)  # [b, 4 * k]
        return torch.cat((quadrants, activations.amax(dim=(2, 3))), dim=1)  # [b, 5 * k]
