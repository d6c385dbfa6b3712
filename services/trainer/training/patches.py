"""`patches`: whitened k-means patch filters (Coates and Ng 2012, "Learning Feature Representations with K-means"), at
two scales, and the same for an image and its mirror image.

Learned without labels in a few seconds, and a plain convolutional network once learned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import avg_pool2d

from services.trainer.training.pooling import QuadrantMeans
from services.trainer.training.recipe import BackboneRecipe

Matrix = NDArray[np.float32]

BLOCK = 8192
"""Patches whose cosines with all centroids are in memory at a time."""


@dataclass(frozen=True)
class Patches(BackboneRecipe):
    """Patch side in pixels; `dimensions` principal components are kept, `pairs` pairs of a centroid and its mirror
    image learned at each scale. `stride` and `half_stride` are in pixels of the whole image and of the halved one; a
    `half_stride` of 0 leaves the second scale out.

    `threshold` is subtracted from each cosine before the rectifier. The floors keep flat patches from being amplified;
    they are in squared units of pixel values 0..1 (whitening) and of the whitened patch (norm).
    """

    mirror_proof: ClassVar[bool] = True

    patch: int = 6
    stride: int = 4
    half_stride: int = 2
    dimensions: int = 48
    pairs: int = 100
    sampled_patches: int = 240_000
    iterations: int = 10
    threshold: float = 0.25
    whitening_floor: float = 1e-3
    norm_floor: float = 1e-3

    def learn(self, images: NDArray[np.uint8], labels: Sequence[str], seed: int) -> nn.Module:  # noqa: ARG002
        """See `BackboneRecipe.learn`; only numpy does the learning, so torch's kernels do not affect the weights."""
        generator = np.random.default_rng(seed)
        scales = [self._scale(images, 1, self.stride, generator)]
        if self.half_stride:
            scales.append(self._scale(images, 2, self.half_stride, generator))
        return PatchNetwork(scales)

    def _scale(self, images: NDArray[np.uint8], shrink: int, stride: int, generator: np.random.Generator) -> nn.Module:
        """Learn from the images made smaller by this factor."""
        patches = sample_patches(images, self.patch, self.sampled_patches, generator, shrink)  # [s, 3*p*p], 0..1
        whitening, offset, signs = whiten(patches, self.dimensions, self.whitening_floor)  # [3*p*p, w], [w], [w]
        whitened = patches @ whitening - offset  # [s, w]
        whitened /= np.sqrt(np.square(whitened).sum(axis=1, keepdims=True) + self.norm_floor)
        centroids = mirrored_kmeans(whitened, signs, self.pairs, self.iterations, generator)  # [k, w]
        return PatchScale(
            self, whitening, offset, np.concatenate((centroids, centroids * signs)), images.shape[1] // shrink, stride
        )


def sample_patches(
    images: NDArray[np.uint8], side: int, count: int, generator: np.random.Generator, shrink: int = 1
) -> Matrix:
    """Sample random patches of uint8 [n, h, w, 3] as float32 [count, 3*side*side], values 0..1, channel first: of the
    images made smaller by the factor `shrink`, whose pixels are the means of squares. Only what is sampled is read."""
    count_of_images, height, width, _ = images.shape
    limits = count_of_images, height // shrink - side + 1, width // shrink - side + 1
    image, row, column = (generator.integers(0, limit, count) for limit in limits)
    reach = side * shrink
    windows = sliding_window_view(images, (reach, reach), axis=(1, 2))  # [n, rows, columns, 3, reach, reach]
    squares = windows[image, row * shrink, column * shrink].reshape(count, 3, side, shrink, side, shrink)
    sums = np.zeros((count, 3, side, side), np.uint16)  # whole numbers: a third of the time of a mean over two axes
    for down in range(shrink):
        for right in range(shrink):
            sums += squares[:, :, :, down, :, right]
    means = sums.reshape(count, -1) / np.float32(shrink * shrink)
    return np.asarray(means / np.float32(255), dtype=np.float32)


def whiten(patches: Matrix, dimensions: int, floor: float) -> tuple[Matrix, Matrix, Matrix]:
    """Return the PCA whitening of patches and their mirror images together, without brightness: W [p, w], o [w] and s
    [w] such that `x @ W - o` is white, and that of the mirror image is the same times s.

    Patches and mirrored patches have a covariance whose axes are symmetric (s = 1) or antisymmetric (s = -1). They are
    found in each of the two spaces apart, so that this holds exactly. A patch's brightness (its mean over pixels and
    channels) depends more on the weather than on the plant; its removal is linear, and so part of W.
    """
    size = patches.shape[1]
    without_brightness = np.eye(size) - 1.0 / size
    centred = np.subtract(patches, patches.mean(axis=1, keepdims=True), out=np.empty(patches.shape, np.float64))
    mean = centred.mean(axis=0)
    centred -= mean  # in place: of all that learning holds, this is the largest
    covariance = centred.T @ centred / (len(centred) - 1)
    found = []
    for sign in (1.0, -1.0):
        space = _mirrored_space(size, sign)  # [p, q]
        found.append((sign, space, *np.linalg.eigh(space.T @ covariance @ space)))
    variances = np.concatenate([variances for _, _, variances, _ in found])
    axes = np.concatenate([space @ vectors for _, space, _, vectors in found], axis=1)  # [p, p]
    signs = np.concatenate([np.full(len(variances), sign) for sign, _, variances, _ in found])
    strongest = np.argsort(-variances, kind="stable")[:dimensions]
    whitening = axes[:, strongest] / np.sqrt(np.maximum(variances[strongest], 0) + floor)
    offset = np.where(signs[strongest] > 0, mean @ whitening, 0)  # the mean of patches and mirrored ones is symmetric
    return (
        (without_brightness @ whitening).astype(np.float32),
        offset.astype(np.float32),
        signs[strongest].astype(np.float32),
    )


def _mirrored_space(size: int, sign: float) -> NDArray[np.float64]:
    """Return an orthonormal basis [p, q] of the patches that are `sign` times their own mirror image."""
    side = round((size / 3) ** 0.5)
    index = np.arange(size).reshape(3, side, side)
    left, right = index[:, :, : side // 2].ravel(), index[:, :, ::-1][:, :, : side // 2].ravel()
    basis = np.zeros((size, len(left)))
    basis[left, np.arange(len(left))] = np.sqrt(0.5)
    basis[right, np.arange(len(left))] = sign * np.sqrt(0.5)
    middle = index[:, :, side // 2].ravel() if side % 2 and sign > 0 else index[:0].ravel()
    return np.concatenate((basis, np.eye(size)[:, middle]), axis=1)


def mirrored_kmeans(
    points: Matrix, signs: Matrix, pairs: int, iterations: int, generator: np.random.Generator
) -> Matrix:
    """Return centroids of unit length [k, w] by cosine: with their mirror images `centroids * signs` the k-means of the
    points and their mirror images. A centroid without points starts again at a random point."""
    centroids = _normalise(points[generator.choice(len(points), pairs, replace=len(points) < pairs)])
    turned, members = np.empty_like(points), np.empty((pairs, len(points)), np.float32)  # [s, w], [k, s]
    for _ in range(iterations):
        both = np.concatenate((centroids, centroids * signs)).T  # [w, 2k]
        blocks = (points[start : start + BLOCK] @ both for start in range(0, len(points), BLOCK))
        nearest = np.concatenate([cosines.argmax(axis=1) for cosines in blocks])
        np.multiply(points, np.where(nearest[:, None] < pairs, np.float32(1), signs), out=turned)
        np.equal(nearest % pairs, np.arange(pairs)[:, None], out=members, casting="unsafe")
        sums = members @ turned  # [k, w]
        lost = np.linalg.norm(sums, axis=1) < 1e-6
        sums[lost] = points[generator.integers(0, len(points), int(lost.sum()))]
        centroids = _normalise(sums)
    return centroids


def _normalise(rows: Matrix) -> Matrix:
    unit: Matrix = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-6))
    return unit


class PatchScale(nn.Module):
    """Convolution (whitening folded in), division by the norm over channels, 1x1 convolution (cosine with each
    centroid, minus the threshold), rectifier. For each pair of a centroid and its mirror image the quadrant means of
    the one beside the exchanged ones of the other, and the maximum of both: five numbers a pair."""

    exchanged: torch.Tensor

    def __init__(
        self, recipe: Patches, whitening: Matrix, offset: Matrix, centroids: Matrix, image_size: int, stride: int
    ) -> None:
        super().__init__()
        side, width = recipe.patch, whitening.shape[1]
        self.whiten = nn.Conv2d(3, width, side, stride)
        self.match = nn.Conv2d(width, len(centroids), 1)
        self.whiten.bias = nn.Parameter(torch.from_numpy(-offset))
        self.match.bias = nn.Parameter(torch.full((len(centroids),), -recipe.threshold))
        self.norm_floor = recipe.norm_floor
        self.pairs = len(centroids) // 2
        steps, rest = divmod(image_size - side, stride)
        if rest % 2:
            raise ValueError(
                f"Patches of {side} pixels at a stride of {stride} cannot lie evenly on {image_size} pixels, so the"
                " mirror image would have other ones. Choose a stride that leaves an even rest."
            )
        self.margin = rest // 2
        self.quadrants = QuadrantMeans(steps + 1)
        self.register_buffer("exchanged", torch.tensor([1, 0, 3, 2]))
        with torch.no_grad():
            self.whiten.weight.copy_(torch.from_numpy(whitening.T.reshape(width, 3, side, side) / np.float32(255)))
            self.match.weight.copy_(torch.from_numpy(centroids[:, :, None, None]))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return float32 [b, 5 * pairs] for float32 [b, 3, size, size], 0..255."""
        if self.margin:
            pixels = pixels[:, :, self.margin : -self.margin, self.margin : -self.margin]
        whitened = self.whiten(pixels)  # [b, w, positions, positions]
        norm = torch.sqrt((whitened * whitened).sum(dim=1, keepdim=True) + self.norm_floor)
        activations = torch.relu(self.match(whitened / norm))  # [b, 2 * k, positions, positions]
        means = self.quadrants(activations)  # [b, 2 * k, 4]
        quadrants = means[:, : self.pairs] + means[:, self.pairs :].index_select(2, self.exchanged)  # [b, k, 4]
        strongest = activations.amax(dim=(2, 3)).reshape(-1, 2, self.pairs).amax(dim=1)  # [b, k]
        return torch.cat((quadrants.flatten(1), strongest), dim=1)


class PatchNetwork(nn.Module):
    """One patch scale on the image, and if there is a second one, that on the image of half the size."""

    def __init__(self, scales: Sequence[nn.Module]) -> None:
        super().__init__()
        self.scales = nn.ModuleList(scales)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return float32 [b, 5 * pairs for each scale] for uint8 [b, size, size, 3]."""
        pixels = image.permute(0, 3, 1, 2).to(torch.float32)  # [b, 3, size, size], 0..255
        features = [self.scales[0](pixels)]
        if len(self.scales) > 1:
            features.append(self.scales[1](avg_pool2d(pixels, 2)))
        return torch.cat(features, dim=1)
