"""A vision transformer with weights from a file; here small random ones in the published format."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.heavy_backbone import SIDE, random_weights
from services.trainer.model.sessions import FeatureExtractor
from services.trainer.training import recipe_parameters, train_backbone
from services.trainer.training.dinov2 import Layer, VisionTransformer
from services.trainer.training.pretrained_weights import find_weights, read_weights
from shared.artefacts import parse_artefact
from tests.unit.trainer.training.test_training import stripes_and_dots

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

WIDTH, LAYERS, GRID = 128, 2, 5


def published() -> dict[str, torch.Tensor]:
    """Return random weights with the names and shapes of facebookresearch/dinov2."""
    return random_weights(WIDTH, LAYERS, GRID, deviation=0.2)


def as_safetensors(weights: dict[str, torch.Tensor], path: Path) -> Path:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, tensor in weights.items():
        data = tensor.numpy().tobytes()
        offsets = [len(body), len(body) + len(data)]
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": offsets}
        body += data
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.pth"
    torch.save(published(), path)
    return path


def test_weights_become_a_graph_that_predictors_run(file: Path) -> None:
    images, _ = stripes_and_dots(3, seed=0)
    backbone = train_backbone("dinov2", images, 0, {"file": str(file), "patches": 4})
    parse_artefact(backbone.onnx)
    features = FeatureExtractor(backbone.onnx).features(images)
    assert features.shape == (3, 2 * WIDTH)
    assert np.abs(features - backbone.probe_features).max() < 1e-3
    assert np.abs(features[0] - features[1]).max() > 1e-2


def test_attention_is_that_of_torch(file: Path) -> None:
    block = VisionTransformer(read_weights(file), 96, 4).blocks[0]
    assert isinstance(block, Layer)
    theirs = torch.nn.MultiheadAttention(WIDTH, WIDTH // 64, batch_first=True)
    weights = published()
    with torch.inference_mode():
        theirs.in_proj_weight.copy_(weights["blocks.0.attn.qkv.weight"])
        theirs.in_proj_bias.copy_(weights["blocks.0.attn.qkv.bias"])
        theirs.out_proj.weight.copy_(weights["blocks.0.attn.proj.weight"])
        theirs.out_proj.bias.copy_(weights["blocks.0.attn.proj.bias"])
        tokens = torch.randn((2, 7, WIDTH), generator=torch.Generator().manual_seed(1))
        expected, _ = theirs(tokens, tokens, tokens)
        torch.testing.assert_close(block._attend(tokens), expected, rtol=1e-3, atol=1e-3)


def test_both_formats_of_files_hold_the_same_weights(file: Path, tmp_path: Path) -> None:
    other = read_weights(as_safetensors(published(), tmp_path / "small.safetensors"))
    same = read_weights(file)
    assert same.keys() == other.keys()
    assert all(torch.equal(tensor, other[name]) for name, tensor in same.items())
    settings = [{"file": str(path)} for path in (file, tmp_path / "small.safetensors")]
    first, second = (recipe_parameters("dinov2", setting)["file_sha256"] for setting in settings)
    assert first != second


@pytest.mark.parametrize("missing", ["pos_embed", "blocks.1.attn.qkv.weight"])
def test_other_weights_are_refused_with_what_is_missing(missing: str, tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({name: tensor for name, tensor in published().items() if name != missing}, path)
    images, _ = stripes_and_dots(2, seed=0)
    with pytest.raises(ValueError, match=missing):
        train_backbone("dinov2", images, 0, {"file": str(path)})


def test_a_file_without_weights_is_refused(tmp_path: Path) -> None:
    for name in ("text.pth", "text.safetensors"):
        (tmp_path / name).write_bytes(b"these are no weights")
        with pytest.raises(ValueError, match="does not hold weights"):
            read_weights(tmp_path / name)


CONFIGURATION = {"model_type": "dinov2", "hidden_size": WIDTH, "num_attention_heads": 2, "patch_size": SIDE}
OTHER_NAMES = (
    ("pos_embed", "embeddings.position_embeddings"),
    ("patch_embed.proj.", "embeddings.patch_embeddings.projection."),
    ("cls_token", "embeddings.cls_token"),
    ("mask_token", "embeddings.mask_token"),
    ("attn.proj.", "attention.output.dense."),
    ("ls1.gamma", "layer_scale1.lambda1"),
    ("ls2.gamma", "layer_scale2.lambda1"),
)


def hugging_face_folder(folder: Path, **changes: object) -> Path:
    """Write the same weights as transformers saves them."""
    weights: dict[str, torch.Tensor] = {"classifier.weight": torch.zeros(2, WIDTH)}
    for name, tensor in published().items():
        other = f"encoder.layer.{name.removeprefix('blocks.')}" if name.startswith("blocks.") else name
        other = f"layernorm.{other.removeprefix('norm.')}" if other.startswith("norm.") else other
        for ours, theirs in OTHER_NAMES:
            other = other.replace(ours, theirs)
        if ".attn.qkv." in other:
            for part, rows in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                weights[f"dinov2.{other.replace('.attn.qkv.', f'.attention.attention.{part}.')}"] = rows.contiguous()
        else:
            weights[f"dinov2.{other}" if not other.startswith("classifier") else other] = tensor
    (folder / "config.json").write_text(json.dumps(CONFIGURATION | changes))
    as_safetensors(weights, folder / "model.safetensors")
    return folder


def test_a_folder_of_hugging_face_holds_the_same_weights(tmp_path: Path) -> None:
    found, expected = read_weights(find_weights(str(hugging_face_folder(tmp_path)))), published()
    assert found.keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in found.items())
    network = VisionTransformer(found, 96, 4)
    assert network(torch.zeros((1, 96, 96, 3), dtype=torch.uint8)).shape == (1, 2 * WIDTH)


def test_a_hub_name_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = tmp_path / "hub" / "people" / "small" / "resolve" / "main"
    served.mkdir(parents=True)
    hugging_face_folder(served)
    monkeypatch.setenv("HF_ENDPOINT", (tmp_path / "hub").as_uri())
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    first = recipe_parameters("dinov2", {"file": "people/small"})
    (served / "model.safetensors").unlink()
    assert recipe_parameters("dinov2", {"file": "people/small"}) == first
    assert read_weights(find_weights("people/small")).keys() == published().keys()


def test_a_name_that_the_hub_does_not_give_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", tmp_path.as_uri())
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with pytest.raises(ValueError, match=r"people/unknown.*Put the folder"):
        find_weights("people/unknown")


@pytest.mark.parametrize("change", [{"model_type": "vit"}, {"num_attention_heads": 4}, {"use_swiglu_ffn": True}])
def test_a_folder_of_another_model_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Sizes S, B and L"):
        read_weights(find_weights(str(hugging_face_folder(tmp_path, **change))))
