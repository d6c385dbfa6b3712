"""`cnn`: a small residual network (He et al. 2016), learned from the labelled images in some twenty seconds.

Its weights are an exponential moving average of those of the training (Polyak and Juditsky 1992). The features are
the mean of those of the image and its mirror image.

Under torchrun the processes share the work: each learns from its part of every batch, gradients are averaged, and all
end with the same weights. Other numbers of processes give other bits.
"""

from collections.abc import Iterator, Mapping, Sequence
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

from services.trainer.training import processes
from services.trainer.training.epochs import EpochCurves
from services.trainer.training.recipe import BackboneRecipe, Setting
from services.trainer.training.residual_network import MirrorMean, ResidualNetwork


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
        """See `BackboneRecipe.learn`."""
        return self.learn_network(images, labels, seed)

    def learn_network(self, images: NDArray[np.uint8], labels: Sequence[str], seed: int) -> MirrorMean:
        """Return the network. On a GPU if there is one; order and augmentation are drawn by numpy."""
        if len(labels) != len(images):
            raise ValueError(
                f"Backbone 'cnn' learns from labels: {len(images)} images need as many, not {len(labels)}."
            )
        classes = sorted(set(labels))
        targets = torch.tensor([classes.index(label) for label in labels])
        network = ResidualNetwork(self.width, images, max(len(classes), 2), self.dropout)
        curves = EpochCurves(max(round(len(images) / self.batch), 1))
        with _same_kernels():
            averaged = self._train(network.to(processes.device()), torch.from_numpy(images), targets, seed, curves)
        return MirrorMean(averaged.to("cpu"), curves.means())

    def contents(self) -> Mapping[str, Setting]:
        """See `BackboneRecipe.contents`: the number of processes, if there are several."""
        return {"processes": processes.size()} if processes.size() > 1 else {}

    def _train(
        self, network: ResidualNetwork, images: torch.Tensor, targets: torch.Tensor, seed: int, curves: EpochCurves
    ) -> ResidualNetwork:
        device, rank, size = processes.device(), processes.rank(), processes.size()
        if min(self.batch, len(images)) < size:
            raise ValueError(f"{size} processes cannot share a batch of {self.batch}. Raise `batch`, or start fewer.")
        generator = np.random.default_rng(seed)
        augmenting = generator if size == 1 else np.random.default_rng((seed, rank))
        optimiser = self._optimiser(network)
        network.to(memory_format=torch.channels_last)  # a fifth faster on a CPU
        averaged = deepcopy(network)
        network.train()
        if rank:
            torch.manual_seed(seed + rank)  # other units are dropped in each process
        for step, rows in enumerate(_batches(len(images), self.batch, self.steps, generator)):
            rate = self.learning_rate * self._schedule(step)
            for group in optimiser.param_groups:
                group["lr"] = rate
            own = rows[rank::size]
            pixels = self._augment(images[own], augmenting).to(device, memory_format=torch.channels_last)
            logits, truths = network.classify(pixels), targets[own].to(device)
            loss = cross_entropy(logits, truths, label_smoothing=self.label_smoothing)
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            processes.average_(parameter.grad for parameter in network.parameters())
            optimiser.step()
            _move_average(averaged, network, self.averaging if step else 0.0)
            right = (logits.argmax(dim=1) == truths).float().mean()
            curves.add(loss=float(loss.detach()), accuracy=float(right), learning_rate=rate)
        processes.average_(averaged.buffers())  # each process has seen its own images
        averaged.to(memory_format=torch.contiguous_format)
        return averaged.eval()

    def _optimiser(self, network: ResidualNetwork) -> torch.optim.Optimizer:
        decay: list[nn.Parameter] = []
        plain: list[nn.Parameter] = []
        for parameter in network.parameters():
            (decay if parameter.ndim > 1 else plain).append(parameter)  # norms and biases are left alone
        return torch.optim.AdamW(
            [{"params": decay, "weight_decay": self.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=self.learning_rate,
        )

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
