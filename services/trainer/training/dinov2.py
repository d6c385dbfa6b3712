"""`dinov2`: a vision transformer with the published weights of DINOv2 (Oquab et al. 2023), frozen.

The architecture is written out here, so that nothing but torch is needed; where the weights come from:
`pretrained_weights.py`. Sizes are read from the weights. Features: the class token beside the mean of the other tokens,
as in the paper's linear evaluation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import gelu, interpolate

from services.trainer.training.onnx_file import read_file
from services.trainer.training.pretrained_weights import HEAD_WIDTH, Weights, find_weights, read_weights
from services.trainer.training.recipe import BackboneRecipe, Setting
from services.trainer.training.resizing import IMAGENET_DEVIATION, IMAGENET_MEAN, Prepare


@dataclass(frozen=True)
class DinoV2(BackboneRecipe):
    """`file` is a file of weights, a folder as Hugging Face has it (config.json, model.safetensors), or the name of a
    model on its hub, of which `revision` is a branch, tag or commit. Images are resized to `patches` times the patch
    side of the model in pixels (14): more cost more, and at most 8 keep a ViT-S within what an artefact may cost."""

    file: str = ""
    patches: int = 7
    revision: str = "main"

    def learn(self, images: NDArray[np.uint8], labels: Sequence[str], seed: int) -> nn.Module:  # noqa: ARG002
        """See `BackboneRecipe.learn`; nothing is learned.

        Raises:
            ValueError: the file cannot be found or read, or does not hold the weights of such a model.
        """
        weights = read_weights(find_weights(self.file, self.revision))
        return VisionTransformer(weights, images.shape[1], self.patches)

    def contents(self) -> Mapping[str, Setting]:
        """See `BackboneRecipe.contents`: the hash of the file."""
        file = find_weights(self.file, self.revision)
        return {"file_sha256": sha256(read_file(str(file))).hexdigest()}


class Layer(nn.Module):
    """Attention, then two linear layers, each on normed tokens, scaled and added."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.heads = width // HEAD_WIDTH
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)})
        self.ls1 = nn.ParameterDict({"gamma": torch.ones(width)})
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, inner), "fc2": nn.Linear(inner, width)})
        self.ls2 = nn.ParameterDict({"gamma": torch.ones(width)})

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return [b, t, width] of [b, t, width]."""
        tokens = tokens + self.ls1["gamma"] * self._attend(self.norm1(tokens))
        inner = gelu(self.mlp["fc1"](self.norm2(tokens)))
        added: torch.Tensor = tokens + self.ls2["gamma"] * self.mlp["fc2"](inner)
        return added

    def _attend(self, tokens: torch.Tensor) -> torch.Tensor:
        split = self.attn["qkv"](tokens).unflatten(2, (3, self.heads, HEAD_WIDTH)).permute(2, 0, 3, 1, 4)
        queries, keys, values = split[0], split[1], split[2]  # [b, heads, t, HEAD_WIDTH]
        weights = ((queries * HEAD_WIDTH**-0.5) @ keys.transpose(2, 3)).softmax(dim=3)  # [b, heads, t, t]
        mixed: torch.Tensor = self.attn["proj"]((weights @ values).transpose(1, 2).flatten(2))
        return mixed


class VisionTransformer(nn.Module):
    """A ViT with the parameter names of facebookresearch/dinov2, without register tokens."""

    def __init__(self, weights: Weights, image_size: int, patches: int) -> None:
        super().__init__()
        try:
            width, _, side, _ = weights["patch_embed.proj.weight"].shape
            inner = weights["blocks.0.mlp.fc1.weight"].shape[0]
            positions = weights["pos_embed"]
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"These are not the weights of a DINOv2 model: {error} is missing. Sizes S, B and L, with the names of"
                " facebookresearch/dinov2, are read."
            ) from error
        layers = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blocks."))
        self.prepare = Prepare(image_size, patches * side, IMAGENET_MEAN, IMAGENET_DEVIATION)
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, side, side)})
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + patches * patches, width))
        self.blocks = nn.ModuleList(Layer(width, inner) for _ in range(layers))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        own = {name: tensor for name, tensor in weights.items() if name != "mask_token"}
        own["pos_embed"] = _resample(positions, patches)
        own |= {name: tensor for name, tensor in self.state_dict().items() if name.startswith("prepare.")}
        try:
            self.load_state_dict(own)
        except RuntimeError as error:
            raise ValueError(f"These are not the weights of a DINOv2 model that can be read: {error}") from error

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return float32 [b, 2 * width] for uint8 [b, size, size, 3]."""
        embedded = self.patch_embed["proj"](self.prepare(image)).flatten(2).transpose(1, 2)  # [b, t - 1, width]
        first = self.cls_token.expand(embedded.shape[0], -1, -1)
        tokens = torch.cat((first, embedded), dim=1) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        tokens = self.norm(tokens)
        return torch.cat((tokens[:, 0], tokens[:, 1:].mean(dim=1)), dim=1)


def _resample(positions: torch.Tensor, patches: int) -> torch.Tensor:
    """Return the embedding of the positions [1, 1 + patches^2, width] of that of another grid, bicubic as published."""
    first, grid = positions[:, :1], positions[:, 1:]
    side = round(grid.shape[1] ** 0.5)
    square = grid.reshape(1, side, side, -1).permute(0, 3, 1, 2)
    resized = interpolate(square, (patches, patches), mode="bicubic", antialias=False, align_corners=False)
    return torch.cat((first, resized.flatten(2).transpose(1, 2)), dim=1)
