"""An image made larger or smaller by two matrix products: a graph then needs no operator that resizes."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import interpolate

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


def resize_matrix(before: int, after: int) -> torch.Tensor:
    """Return float32 [after, before]: what bilinear resizing with antialiasing makes of a column of pixels."""
    identity = torch.eye(before)[None, None]
    return interpolate(identity, (after, before), mode="bilinear", antialias=True, align_corners=False)[0, 0]


def resize(images: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """Return float32 [n, 3, side, side], 0..255, of uint8 [n, h, w, 3]: bilinear, with antialiasing."""
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).to(torch.float32)
    resized = interpolate(pixels, (side, side), mode="bilinear", antialias=True, align_corners=False)
    return resized.numpy()


class Prepare(nn.Module):
    """Resized, and each colour less its mean over its deviation (both in 0..1)."""

    matrix: torch.Tensor
    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, before: int, after: int, mean: tuple[float, ...], deviation: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("matrix", resize_matrix(before, after))
        self.register_buffer("mean", 255 * torch.tensor(mean)[:, None, None])
        self.register_buffer("deviation", 255 * torch.tensor(deviation)[:, None, None])

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return float32 [b, 3, after, after] for uint8 [b, before, before, 3]."""
        pixels = image.permute(0, 3, 1, 2).to(torch.float32)
        resized = self.matrix @ pixels @ self.matrix.T
        return (resized - self.mean) / self.deviation
