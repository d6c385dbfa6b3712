"""Means over the four quadrants of a map as one matrix product.

On a CPU, onnxruntime's AveragePool with windows this large took more than half of the time of an answer; a product with
a constant takes a twentieth of that.
"""

import torch
from torch import nn


class QuadrantMeans(nn.Module):
    """The mean of each quadrant of a square map: `avg_pool2d` with windows of half a side, which share the middle row
    and column if the side is odd."""

    weights: torch.Tensor

    def __init__(self, side: int) -> None:
        super().__init__()
        half = (side + 1) // 2
        position = torch.arange(side)
        halves = torch.stack((position < half, position >= side - half)).to(torch.float32) / half  # [2, side]
        weights = torch.einsum("ir,jc->rcij", halves, halves)  # [side, side, 2, 2]
        self.register_buffer("weights", weights.reshape(side * side, 4).contiguous())

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return float32 [b, k, 4] (upper left, upper right, lower left, lower right) for [b, k, side, side]."""
        return maps.flatten(2) @ self.weights
