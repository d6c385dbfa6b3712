"""Processes that learn a backbone together, as torchrun started them: https://docs.pytorch.org/docs/stable/elastic/run.html

Process 0 has the data and hands out jobs; the others follow. Without torchrun there is one process, and nothing here
does anything. CPUs talk by gloo, GPUs by NCCL: torch's own choice for each kind of tensor.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from services.trainer.training.recipe import Setting

LONGEST_WAIT = timedelta(days=7)
"""For the next job, which people or new images ask for. A process that ends is noticed at once."""


@dataclass(frozen=True)
class BackboneJob:
    """The arguments of `train_backbone` that shape the weights: images uint8 [n, size, size, 3], their labels [n]."""

    name: str
    images: NDArray[np.uint8]
    seed: int
    settings: Mapping[str, Setting]
    labels: Sequence[str]


def size() -> int:
    """Return how many processes there are; joins them at the first call, which waits until all are there."""
    if not dist.is_torchelastic_launched():
        return 1
    if not dist.is_initialized():
        dist.init_process_group(timeout=LONGEST_WAIT)
    return int(dist.get_world_size())


def rank() -> int:
    """Return the number of this process, from 0."""
    return int(dist.get_rank()) if size() > 1 else 0


def device() -> torch.device:
    """Return the GPU of this process; the CPU if the machine has none."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ["LOCAL_RANK"])) if size() > 1 else torch.device("cuda")


@torch.no_grad()
def average_(tensors: Iterable[torch.Tensor | None]) -> None:
    """Replace float tensors by their means over the processes, in one message: the same bits in every process. None and
    integers are left alone."""
    if size() == 1:
        return
    own = [tensor for tensor in tensors if tensor is not None and tensor.is_floating_point()]
    flat = torch.cat([tensor.flatten() for tensor in own])
    dist.all_reduce(flat)
    flat /= size()
    start = 0
    for tensor in own:
        tensor.copy_(flat[start : start + tensor.numel()].view(tensor.shape))
        start += tensor.numel()


def check_agreement(found: str) -> None:
    """Look whether all processes found the same.

    Raises:
        RuntimeError: they did not, so that no model of one of them can be trusted.
    """
    if size() == 1:
        return
    others: list[object] = [None] * size()
    dist.all_gather_object(others, found)
    if len(set(others)) > 1:
        raise RuntimeError(
            f"The {size()} processes learned different weights: {others}. Start them on machines of one kind, with the"
            " same release."
        )


def hand_out(job: BackboneJob | None) -> None:
    """Give the other processes a job; None ends them. Only process 0 does so."""
    if size() > 1:
        dist.broadcast_object_list([job], device=torch.device("cpu"))


def next_job() -> BackboneJob | None:
    """Wait for a job of process 0; None: there are no more."""
    received: list[BackboneJob | None] = [None]
    dist.broadcast_object_list(received, device=torch.device("cpu"))
    return received[0]


def leave() -> None:
    """End the connection to the other processes."""
    if dist.is_initialized():
        dist.destroy_process_group()
