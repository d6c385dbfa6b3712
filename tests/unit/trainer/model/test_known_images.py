"""What is kept of images that are asked again and again gives the same answers as computing all of it."""

from collections.abc import Collection, Sequence
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.trainer.model import known_images
from services.trainer.model.arrays import Floats
from services.trainer.model.correction_layer import CorrectionLayer, fit_layer, own_rows
from services.trainer.model.head import Head
from services.trainer.model.known_images import KnownImages
from services.trainer.model.reference_inference import predict_probabilities
from shared.contract.artefact import CorrectionEntry
from tests.unit.trainer.model.planted import planted_features, planted_space

SPACE = planted_space()
WIDTH = len(SPACE.mean)
POOL = planted_features(40, 1)
VECTORS = {f"sha-{number}": POOL[number] for number in range(len(POOL))}
OF_GRID = 2e-3
"""Of a probability: places are put on a grid, and kernels are steep."""


def head(seed: int) -> Head:
    weights = np.random.default_rng(seed).normal(0, 1, (WIDTH, 2)).astype(np.float32)
    return Head(("dandelion", "grass"), SPACE.mean, np.ones(WIDTH, np.float32), weights, np.zeros(2, np.float32))


def layer_over(images: Collection[int], base: Head) -> CorrectionLayer:
    chosen = sorted(images)
    features = POOL[chosen] if chosen else POOL[:0]
    logits = base.logits(features)
    wrong = logits.argmin(axis=1)
    entries = [(UUID(int=number), 1) for number in chosen]
    return fit_layer(features, logits, wrong, entries, space=SPACE, kappa=6.0, end=0.02)


def computed(
    base: Head,
    layer: CorrectionLayer,
    asked: Sequence[int],
    own: bool = False,
    without: Collection[CorrectionEntry] = (),
) -> Floats:
    ignored = np.zeros((len(asked), len(layer.entries)), bool)
    if own:
        ignored = own_rows(layer, [UUID(int=number) for number in asked])
    ignored[:, [row for row, entry in enumerate(layer.entries) if entry in without]] = True
    features = POOL[list(asked)] if asked else POOL[:0]
    return predict_probabilities(base, layer, features, ignored)


numbers = st.lists(st.integers(0, len(POOL) - 1), max_size=12, unique=True)


@given(st.lists(st.tuples(numbers, numbers, st.integers(1, 5), st.booleans()), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_any_series_of_models_and_images_is_answered_as_computed(
    series: list[tuple[list[int], list[int], int, bool]],
) -> None:
    known = KnownImages()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(known_images, "SPARE", 2)  # what was not asked for lately is forgotten soon
        for corrected, asked, seed, own in series:
            base = head(seed)
            layer = layer_over(corrected, base)
            without = {(UUID(int=number), 1) for number in corrected[:1]}
            found = known.predict_probabilities(
                base,
                layer,
                [f"sha-{number}" for number in asked],
                VECTORS,
                image_ids=[UUID(int=number) for number in asked] if own else (),
                without=without,
            )
            assert found == pytest.approx(computed(base, layer, asked, own, without), abs=OF_GRID)


def test_an_image_is_computed_once_and_a_row_once() -> None:
    known, base = KnownImages(), head(1)
    asked = [f"sha-{number}" for number in range(20)]
    first = known.predict_probabilities(base, layer_over([1, 2], base), asked, VECTORS)
    again = known.predict_probabilities(base, layer_over([1, 2], base), asked, {})  # no features are needed
    more = known.predict_probabilities(base, layer_over([1, 2, 3], base), asked, {})
    assert np.array_equal(first, again)
    assert more == pytest.approx(computed(base, layer_over([1, 2, 3], base), range(20)), abs=OF_GRID)


def test_after_forgetting_features_are_asked_for_again() -> None:
    known, base = KnownImages(), head(1)
    layer = layer_over([1], base)
    known.predict_probabilities(base, layer, ["sha-1"], VECTORS)
    known.forget()
    with pytest.raises(KeyError):
        known.predict_probabilities(base, layer, ["sha-1"], {})
    with pytest.raises(KeyError):
        known.predict_probabilities(head(2), layer, ["sha-1"], {})  # another head knows nothing of it


def test_two_images_with_the_same_bytes_are_told_apart() -> None:
    known, base = KnownImages(), head(1)
    layer = layer_over([5], base)
    both = known.predict_probabilities(base, layer, ["sha-5", "sha-5"], VECTORS, image_ids=[UUID(int=5), UUID(int=99)])
    plain = computed(base, layer, [5])
    assert both[1] == pytest.approx(plain[0], abs=OF_GRID)
    assert both[0] == pytest.approx(computed(base, layer, [5], own=True)[0], abs=OF_GRID)
    assert both[0].argmax() != both[1].argmax()
