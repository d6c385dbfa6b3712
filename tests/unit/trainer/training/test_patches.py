"""What `patches` sees in an image, and in its mirror image."""

import numpy as np
import pytest

from services.trainer.model.sessions import FeatureExtractor, mirror
from services.trainer.training import train_backbone
from services.trainer.training.patches import mirrored_kmeans, sample_patches, whiten
from tests.unit.trainer.training.test_training import SMALL, stripes_and_dots

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.mark.parametrize(("stride", "half_stride", "width"), [(4, 2, 120), (3, 3, 120), (5, 0, 60)])
def test_the_mirror_image_has_the_same_features(stride: int, half_stride: int, width: int) -> None:
    images, _ = stripes_and_dots(12, seed=0)
    images[:, :30, :40] = 7  # the two halves of an image differ
    settings = {**SMALL, "stride": stride, "half_stride": half_stride}
    backbone = train_backbone("patches", images, 3, settings)
    extractor = FeatureExtractor(backbone.onnx)
    features = extractor.features(images)
    assert backbone.mirror_proof
    assert features.shape == (12, width)
    assert np.abs(features - extractor.features(mirror(images))).max() < 1e-5
    upside_down = extractor.features(np.ascontiguousarray(images[:, ::-1]))
    assert np.abs(features - upside_down).max() > 1e-2, "only left and right are exchanged"


@pytest.mark.parametrize("side", [4, 5])
def test_whitening_turns_a_mirrored_patch_into_changed_signs(side: int) -> None:
    generator = np.random.default_rng(side)
    patches = generator.random((500, 3 * side * side), dtype=np.float32)
    mirrored = patches.reshape(-1, 3, side, side)[:, :, :, ::-1].reshape(500, -1)
    whitening, offset, signs = whiten(patches, 20, 1e-3)
    assert set(signs) == {-1, 1}
    np.testing.assert_allclose(mirrored @ whitening - offset, (patches @ whitening - offset) * signs, atol=1e-4)
    both = np.concatenate((patches, mirrored)) @ whitening - offset
    np.testing.assert_allclose(both.mean(axis=0), 0, atol=1e-3)


def test_points_and_their_mirror_images_share_a_pair_of_centroids() -> None:
    signs = np.array([1, -1], np.float32)
    angles = np.random.default_rng(0).normal(0, 0.05, 200) + np.repeat([0.5, -0.5], 100)
    points = np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)
    centroid = mirrored_kmeans(points, signs, 1, 5, np.random.default_rng(0))[0]
    assert abs(centroid[1]) == pytest.approx(np.sin(0.5), abs=0.02)


def test_patches_of_smaller_images_are_means_of_squares() -> None:
    image = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)
    patch = sample_patches(image, 2, 1, np.random.default_rng(0), shrink=2)[0].reshape(3, 2, 2)
    assert patch[0] * 255 == pytest.approx(np.array([[7.5, 13.5], [31.5, 37.5]]))
    assert patch[2] * 255 == pytest.approx(np.array([[9.5, 15.5], [33.5, 39.5]]))


def test_a_stride_that_cannot_lie_evenly_is_refused() -> None:
    images, _ = stripes_and_dots(2, seed=0)
    with pytest.raises(ValueError, match="even rest"):
        train_backbone(
            "patches",
            images,
            0,
            {**SMALL, "patch": 5, "stride": 3, "half_stride": 0, "sampled_patches": 50} | {"stride": 2},
        )
