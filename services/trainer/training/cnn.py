"""`cnn`: a small residual network (He et al. 2016), learned from the labelled images in some twenty seconds.

Its weights are an exponential moving average of those of the training (Polyak and Juditsky 1992). The features are
the mean of those of the image and its mirror image.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from math import cos, pi
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import cross_entropy, pad

from services.trainer.training.recipe import BackboneRecipe


@dataclass(frozen=True)
class Cnn(BackboneRecipe):
    """`steps` batches of `batch` images are learned however many there are, so that the time is the same; `width` is
    the number of channels of the first block, doubled in each of the two others. `shift` is how many pixels an image
    is moved at most, the whole augmentation beside mirroring and a little brightness: a stronger one made it worse.
    """

    mirror_proof: ClassVar[bool] = True
    supervised: ClassVar[bool] = True

    steps: int = 250
    batch: int = 32
    width: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    warm_up: float = 0.1
    label_smoothing: float = 0.1
    dropout: float = 0.2
    averaging: float = 0.99
    shift: int = 8
    brightness: float = 0.1

    def learn(self, images: NDArray[np.uint8], labels: Sequence[str], seed: int) -> nn.Module:
        """See `BackboneRecipe.learn`. On a GPU if there is one; order and augmentation are drawn by numpy."""
        if len(labels) != len(images):
            raise ValueError(
                f"Backbone 'cnn' learns from labels: {len(images)} images need as many, not {len(labels)}."
            )
        classes = sorted(set(labels))
        targets = torch.tensor([classes.index(label) for label in labels])
        generator = np.random.default_rng(seed)
        network = ResidualNetwork(self.width, images, max(len(classes), 2), self.dropout)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        with _same_kernels():
            averaged = self._train(
                network.to(device),
                torch.from_numpy(images),
                targets,
                generator,
                device,
            )
        return MirrorMean(averaged.to("cpu"))

    def _train(
        self,
        network: "ResidualNetwork",
        images: torch.Tensor,
        targets: torch.Tensor,
        generator: np.random.Generator,
        device: torch.device,
    ) -> "ResidualNetwork":
        decay: list[nn.Parameter] = []
        plain: list[nn.Parameter] = []
        for parameter in network.parameters():
            (decay if parameter.ndim > 1 else plain).append(parameter)  # norms and biases are left alone
        optimiser = torch.optim.AdamW(
            [{"params": decay, "weight_decay": self.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=self.learning_rate,
        )
        network.to(memory_format=torch.channels_last)  # a fifth faster on a CPU
        averaged = deepcopy(network)
        network.train()
        for step, rows in enumerate(_batches(len(images), self.batch, self.steps, generator)):
            for group in optimiser.param_groups:
                group["lr"] = self.learning_rate * self._schedule(step)
            pixels = self._augment(images[rows], generator).to(device, memory_format=torch.channels_last)
            loss = cross_entropy(
                network.classify(pixels), targets[rows].to(device), label_smoothing=self.label_smoothing
            )
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimiser.step()
            _move_average(averaged, network, self.averaging if step else 0.0)
        averaged.to(memory_format=torch.contiguous_format)
        return averaged.eval()

    def _schedule(self, step: int) -> float:
        """Return the share of the learning rate at a step: a linear warm-up, then half a cosine."""
        warm = max(round(self.warm_up * self.steps), 1)
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + cos(pi * (step - warm) / max(self.steps - warm, 1)))

    def _augment(self, images: torch.Tensor, generator: np.random.Generator) -> torch.Tensor:
        """Return float32 [b, 3, size, size], 0..255, of uint8 [b, size, size, 3]: mirrored, moved, brighter or
        darker."""
        pixels = images.permute(0, 3, 1, 2).to(torch.float32)
        size, room = pixels.shape[-1], self.shift
        padded = pad(pixels, (room, room, room, room), mode="reflect") if room else pixels
        moved = []
        for image in padded:
            down, right = (int(value) for value in generator.integers(0, 2 * room + 1, 2))
            crop = image[:, down : down + size, right : right + size]
            moved.append(crop.flip(2) if generator.random() < 0.5 else crop)
        gain = 1 + self.brightness * torch.from_numpy(generator.uniform(-1, 1, (len(moved), 1, 1, 1))).to(torch.float32)
        return torch.stack(moved) * gain


def _batches(count: int, size: int, steps: int, generator: np.random.Generator) -> Iterator[torch.Tensor]:
    """Yield the rows of `steps` batches; each image comes once before any comes again."""
    order = np.zeros(0, dtype=np.int64)
    for _ in range(steps):
        while len(order) < min(size, max(count, 2)):
            order = np.concatenate((order, generator.permutation(count)))
        yield torch.from_numpy(order[:size].copy())
        order = order[size:]


@torch.no_grad()
def _move_average(averaged: nn.Module, network: nn.Module, kept: float) -> None:
    """Let the average keep this share of itself, and take the rest from the network; its norms' statistics, too."""
    for own, new in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
        if own.is_floating_point():
            own.lerp_(new, 1 - kept)
        else:
            own.copy_(new)


@contextmanager
def _same_kernels() -> Iterator[None]:
    """Let a GPU use only kernels that give the same bits each time."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        same = inputs == outputs and stride == 1
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return [b, outputs, h / stride, w / stride] of [b, inputs, h, w]."""
        inner = torch.relu(self.first_norm(self.first(maps)))
        return torch.relu(self.second_norm(self.second(inner)) + self.shortcut(maps))


class ResidualNetwork(nn.Module):
    """A stem of stride 4, three blocks, the mean beside the maximum of each channel, and for the training a
    classifier."""

    centre: torch.Tensor
    spread: torch.Tensor

    def __init__(self, width: int, images: NDArray[np.uint8], classes: int, dropout: float) -> None:
        super().__init__()
        colours = images.reshape(-1, 3).astype(np.float64)
        centre, spread = colours.mean(axis=0), np.maximum(colours.std(axis=0), 1.0)
        self.register_buffer("centre", torch.tensor(centre, dtype=torch.float32)[:, None, None])
        self.register_buffer("spread", torch.tensor(spread, dtype=torch.float32)[:, None, None])
        self.stem = nn.Conv2d(3, width, 7, 4, 3, bias=False)
        self.stem_norm = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(Block(width, width, 1), Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2))
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(8 * width, classes))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return float32 [b, 8 * width] for float32 [b, 3, size, size], 0..255."""
        scaled = (pixels - self.centre) / self.spread
        maps = self.blocks(torch.relu(self.stem_norm(self.stem(scaled))))  # [b, 4 * width, size / 16, size / 16]
        return torch.cat((maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))), dim=1)

    def classify(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of the training's own classifier, [b, classes]."""
        logits: torch.Tensor = self.classifier(self(pixels))
        return logits


class MirrorMean(nn.Module):
    """The mean of the features of an image and of its mirror image."""

    def __init__(self, network: ResidualNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return float32 [b, d] for uint8 [b, size, size, 3]."""
        pixels = image.permute(0, 3, 1, 2).to(torch.float32)
        features: torch.Tensor = 0.5 * (self.network(pixels) + self.network(pixels.flip(3)))
        return features
