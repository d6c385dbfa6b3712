"""Weights that others trained: from a file, from a folder as Hugging Face has it, or from its hub.

Both namings of DINOv2 are read: that of facebookresearch/dinov2, which is used here, and that of transformers, whose
folders hold config.json and model.safetensors.
"""

import json
import os
import re
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import torch

from services.trainer.training.onnx_file import read_file

HEAD_WIDTH = 64
"""Of each attention head, in all published sizes."""
CONFIG, TENSORS = "config.json", "model.safetensors"
_KINDS: Mapping[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "F64": np.dtype("<f8")}
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_RENAMED = (
    (r"^dinov2\.", ""),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^embeddings\.(cls_token|mask_token)$", r"\1"),
    (r"^encoder\.layer\.", "blocks."),
    (r"\.attention\.attention\.", ".attn."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.layer_scale([12])\.lambda1$", r".ls\1.gamma"),
    (r"^layernorm\.", "norm."),
)
"""From the names of transformers to those of facebookresearch/dinov2."""

Weights = Mapping[str, torch.Tensor]


def find_weights(place: str, revision: str = "main") -> Path:
    """Return the file of weights at `place`: a file, a folder, or `owner/name` on the hub, which is fetched once.

    Raises:
        ValueError: there is no such file or folder, and the hub does not give such a model.
    """
    found = Path(place)
    if found.is_dir():
        return found / TENSORS
    if found.exists() or not _HUB_NAME.fullmatch(place):
        return found
    folder = Path(torch.hub.get_dir()) / "huggingface" / place.replace("/", "--") / revision.replace("/", "--")
    folder.mkdir(parents=True, exist_ok=True)
    address = f"{os.environ.get('HF_ENDPOINT', 'https://huggingface.co').rstrip('/')}/{place}/resolve/{revision}"
    for name in (CONFIG, TENSORS):
        try:
            if not (folder / name).exists():  # it is put there when it is complete
                torch.hub.download_url_to_file(f"{address}/{name}", str(folder / name), progress=False)
        except (URLError, OSError) as error:
            raise ValueError(
                f"There is no file or folder {place}, and {address}/{name} cannot be fetched ({error}). Put the folder"
                " of the model where the full lane runs, and name its path."
            ) from error
    return folder / TENSORS


def read_weights(file: Path) -> Weights:
    """Return the tensors of a `.safetensors` file, or of a `.pth` file, of which only numbers are read, by the names of
    facebookresearch/dinov2. A config.json beside it is looked at.

    Raises:
        ValueError: the file cannot be read, is neither, or is of another kind of model.
    """
    data = read_file(str(file))
    try:
        if file.suffix == ".safetensors":
            found = _safetensors(data)
        else:
            loaded = torch.load(file, map_location="cpu", weights_only=True)
            found = {str(name): tensor.to(torch.float32) for name, tensor in loaded.items()}
    except Exception as error:  # pickle's, torch's and json's own classes
        raise ValueError(f"{file} does not hold weights ({error}). Use a .pth or .safetensors file.") from error
    if file.name == TENSORS and (config := file.with_name(CONFIG)).exists():
        _check_config(config)
    return _renamed(found)


def _check_config(file: Path) -> None:
    try:
        config = json.loads(file.read_bytes())
        kind, width, heads = (config[name] for name in ("model_type", "hidden_size", "num_attention_heads"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is not the configuration of a model ({error!r}). Fetch the folder again.") from error
    if kind != "dinov2" or width != heads * HEAD_WIDTH or config.get("use_swiglu_ffn"):
        raise ValueError(
            f"{file} describes a model {kind!r} of width {width} with {heads} heads. Sizes S, B and L of 'dinov2',"
            " without registers, are read."
        )


def _renamed(weights: Weights) -> Weights:
    """Return weights of transformers under the other names; queries, keys and values become one matrix. Weights that
    have these names already are returned as they are; those of a classifier are left out."""
    if not any("encoder.layer." in name for name in weights):
        return weights
    found: dict[str, torch.Tensor] = {}
    for name, tensor in weights.items():
        for pattern, replacement in _RENAMED:
            name = re.sub(pattern, replacement, name)
        if not name.startswith("classifier."):
            found[name] = tensor
    for name in [name for name in found if ".attn.query." in name]:
        parts = [found.pop(name.replace(".query.", f".{part}."), None) for part in ("query", "key", "value")]
        if any(part is None for part in parts):
            raise ValueError(f"These weights lack a key or a value beside {name}. Fetch the folder again.")
        found[name.replace(".query.", ".qkv.")] = torch.cat([part for part in parts if part is not None])
    return found


def _safetensors(data: bytes) -> Weights:
    """https://github.com/huggingface/safetensors#format: the length of a JSON header, the header, the numbers."""
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    found = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            kind, shape = _KINDS[entry["dtype"]], entry["shape"]
            numbers = np.frombuffer(body[start:end], kind).astype(np.float32)
            if len(numbers) != prod(shape):
                raise ValueError(f"{name} has other numbers than its shape says")
            found[name] = torch.from_numpy(numbers.reshape(shape))
    return found
