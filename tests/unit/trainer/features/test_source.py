"""Features from memory, from kept files, or from bytes; what cannot be read is named."""

import asyncio
from hashlib import sha256
from io import BytesIO

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from numpy.typing import NDArray
from PIL import Image

from services.trainer.features import kept, parquet
from services.trainer.features.parquet import (
    features_key,
    features_without,
    find_features,
    read_features,
    write_features,
)
from services.trainer.features.source import BATCH, FeatureCache, FeatureSource
from shared.testing import MemoryObjectStore


class Means:
    """A backbone: the mean colour. Counts what it computes."""

    def __init__(self) -> None:
        self.computed = 0

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.computed += len(images)
        means: NDArray[np.float32] = images.mean(axis=(1, 2), dtype=np.float32)
        return means


class LeftHalf(Means):
    """A backbone: the mean of the left half."""

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return super().features(images[:, :, :48])[:, :1]


async def stored(store: MemoryObjectStore, *colours: int) -> dict[str, str]:
    """Put grey squares into the store; return sha256 -> key."""
    keys = {}
    for colour in colours:
        file = BytesIO()
        Image.fromarray(np.full((8, 8, 3), colour, np.uint8)).save(file, "PNG")
        digest = sha256(file.getvalue()).hexdigest()
        keys[digest] = f"images/{digest}"
        await store.put(keys[digest], file.getvalue())
    return keys


async def test_each_image_is_computed_once_under_one_backbone() -> None:
    store, backbone = MemoryObjectStore(), Means()
    source = FeatureSource(store, FeatureCache(100))
    keys = await stored(store, *range(BATCH + 3))
    first = await source.features("one", backbone, keys)
    again = await source.features("one", backbone, keys)
    assert backbone.computed == len(keys)
    assert [float(first.features[digest][0]) for digest in keys] == list(range(BATCH + 3))
    assert all(np.array_equal(first.features[digest], again.features[digest]) for digest in keys)
    await source.features("another", backbone, keys)
    assert backbone.computed == 2 * len(keys)


async def test_features_of_mirrored_images_are_kept_beside_those_of_the_images() -> None:
    store, cache = MemoryObjectStore(), FeatureCache(100)
    pixels = np.zeros((96, 96, 3), np.uint8)
    pixels[:, :48] = 200
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    digest = sha256(file.getvalue()).hexdigest()
    await store.put("images/half", file.getvalue())
    source, backbone = FeatureSource(store, cache), LeftHalf()
    for _ in range(2):
        plain = await source.features("one", backbone, {digest: "images/half"})
        mirrored = await source.features("one", backbone, {digest: "images/half"}, mirrored=True)
        assert (plain.features[digest].tolist(), mirrored.features[digest].tolist()) == ([200], [0])
    assert backbone.computed == 2


async def test_what_cannot_be_read_is_named_and_the_rest_is_there() -> None:
    store = MemoryObjectStore()
    keys = await stored(store, 10, 20)
    rubbish = b"no image"
    await store.put("images/rubbish", rubbish)
    await store.put("images/other", b"other bytes")
    bad = {sha256(rubbish).hexdigest(): "images/rubbish", "0" * 64: "images/gone", "1" * 64: "images/other"}
    found = await FeatureSource(store, FeatureCache(100)).features("one", Means(), {**keys, **bad})
    assert set(found.features) == set(keys)
    assert set(found.unreadable) == set(bad)
    assert all(found.unreadable.values())


@pytest.mark.usefixtures("files_for_one")
async def test_what_a_full_training_kept_is_not_computed_again() -> None:
    store, backbone = MemoryObjectStore(), Means()
    keys = await stored(store, 10, 20)
    vectors = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    await store.put(features_key("one", "a" * 64), write_features(list(keys), vectors))
    await store.put(features_key("one", "b" * 64), b"not a file")
    source = FeatureSource(store, FeatureCache(100))
    await source.recall("one", list(keys), width=3)
    found = await source.features("one", backbone, keys)
    assert backbone.computed == 0
    assert np.array_equal(np.stack(list(found.features.values())), vectors)


async def test_no_more_vectors_are_kept_than_the_cache_holds() -> None:
    store, backbone = MemoryObjectStore(), Means()
    cache = FeatureCache(2)
    source, keys = FeatureSource(store, cache), await stored(store, 10, 20, 30)
    await source.features("one", backbone, keys)
    assert len(cache) == 2
    await source.features("one", backbone, dict(list(keys.items())[:1]))
    assert backbone.computed == 4


async def test_asking_for_many_at_once_keeps_each_with_its_own() -> None:
    store = MemoryObjectStore()
    keys = await stored(store, *range(40))
    source, backbone = FeatureSource(store, FeatureCache(100)), Means()
    parts = [dict(list(keys.items())[at::4]) for at in range(4)]
    found = await asyncio.gather(*(source.features("one", backbone, part) for part in parts))
    merged = {digest: vector for one in found for digest, vector in one.features.items()}
    assert [float(merged[digest][0]) for digest in keys] == list(range(40))


@pytest.mark.usefixtures("files_for_one")
async def test_kept_features_are_read_and_nothing_is_downloaded() -> None:
    store, backbone = MemoryObjectStore(), Means()
    digests = [f"{number:064x}" for number in range(5)]
    await store.put(features_key("one", "a"), write_features(digests, np.arange(15, dtype=np.float32).reshape(5, 3)))
    source = FeatureSource(store, FeatureCache(100))
    await source.recall("one", digests[:4], width=3)
    found = await source.features("one", backbone, dict.fromkeys(digests[:4], "images/gone"))
    assert backbone.computed == 0
    assert found.features[digests[3]].tolist() == [9, 10, 11]


async def test_of_a_large_file_only_what_is_wanted_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "A_GROUP", 4)
    digests = [f"{number:064x}" for number in range(10)]
    data = write_features(digests, np.arange(30, dtype=np.float32).reshape(10, 3))
    inside, found = find_features(data, {digests[1], digests[9], "unknown"})
    assert inside == set(digests)
    assert {digest: vector.tolist() for digest, vector in found.items()} == {
        digests[1]: [3, 4, 5],
        digests[9]: [27, 28, 29],
    }
    assert all(vector.base is None for vector in found.values())  # no vector keeps its group in memory
    assert list(read_features(data)) == digests


@pytest.mark.usefixtures("files_for_one")
async def test_kept_features_of_another_width_are_none() -> None:
    store, backbone = MemoryObjectStore(), Means()
    keys = await stored(store, 10)
    (digest,) = keys
    await store.put(features_key("one", "a"), write_features([digest], np.ones((1, 7), np.float32)))
    source = FeatureSource(store, FeatureCache(100))
    await source.recall("one", [digest], width=3)
    assert (await source.features("one", backbone, keys)).features[digest].shape == (3,)


@pytest.mark.usefixtures("files_for_one")
async def test_an_image_that_no_training_kept_is_looked_for_once() -> None:
    store = MemoryObjectStore()
    await store.put(features_key("one", "a"), write_features(["0" * 64], np.ones((1, 3), np.float32)))
    source = FeatureSource(store, FeatureCache(100))
    await source.recall("one", ["1" * 64], width=3)
    await store.put(features_key("one", "a"), b"read again, this would be a warning")
    await source.recall("one", ["1" * 64], width=3)
    await source.recall("one", ["0" * 64], width=3)
    assert (await source.features("one", Means(), {"0" * 64: "images/gone"})).features == {}


@pytest.fixture
def files_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read files for a single image as well."""
    monkeypatch.setattr(kept, "FEW", 0)


async def test_a_large_file_is_not_read_for_few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "FEW", 2)
    monkeypatch.setattr(kept, "ROWS_FOR_ONE", 4)
    store, backbone = MemoryObjectStore(), Means()
    keys = await stored(store, *range(8))
    digests = list(keys)
    await store.put(features_key("one", "a"), write_features(digests, np.full((8, 3), 7, np.float32)))
    source = FeatureSource(store, FeatureCache(100))

    async def value_of(*numbers: int) -> list[float]:
        chosen = {digests[number]: keys[digests[number]] for number in numbers}
        await source.recall("one", chosen, width=3)
        return [float(vector[0]) for vector in (await source.features("one", backbone, chosen)).features.values()]

    assert await value_of(0) == [0.0]  # computed: how large the file is, is not known
    assert await value_of(1, 2, 3) == [7.0, 7.0, 7.0]  # many
    assert await value_of(4) == [4.0]  # the file has eight rows, and four are as quick as one image
    assert await value_of(5, 6) == [7.0, 7.0]


def test_rows_are_taken_out_of_each_group_of_a_large_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "A_GROUP", 4)
    digests = [f"{number:064x}" for number in range(10)]
    vectors = np.arange(30, dtype=np.float32).reshape(10, 3)
    data = write_features(digests, vectors)
    gone = {*digests[4:8], digests[0], digests[9]}  # all of the second group, some of the others
    rest = features_without(data, gone)
    assert rest is not None
    kept = [1, 2, 3, 8]
    found = read_features(rest)
    assert list(found) == [digests[number] for number in kept]
    assert np.array_equal(np.stack(list(found.values())), vectors[kept])
    assert features_without(data, {"another"}) is None
    assert features_without(data, digests) == b""


def test_bytes_that_are_no_features_are_named() -> None:
    other = BytesIO()
    pq.write_table(pa.table({"name": ["x"]}), other)
    for data in (b"rubbish", other.getvalue()):
        for read in (read_features, lambda given: find_features(given, ()), lambda given: features_without(given, ())):
            with pytest.raises(ValueError, match="not a features file"):
                read(data)
