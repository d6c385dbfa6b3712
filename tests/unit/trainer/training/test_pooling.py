"""Quadrant means as a matrix product."""

import pytest
import torch
from torch.nn.functional import avg_pool2d

from services.trainer.training.pooling import QuadrantMeans

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("side", [1, 2, 5, 16, 31])
def test_quadrant_means_are_those_of_windows(side: int) -> None:
    maps = torch.rand((3, 7, side, side), generator=torch.Generator().manual_seed(side))
    half = (side + 1) // 2
    windows = avg_pool2d(maps, half, max(side - half, 1)).flatten(2) if side > 1 else maps.flatten(2).expand(3, 7, 4)
    torch.testing.assert_close(QuadrantMeans(side)(maps), windows, rtol=0, atol=3e-6)
