"""The features that were kept of a withdrawn image are deleted, also those that a training under way keeps later."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from services.trainer.data.projection import TOPICS
from services.trainer.features.parquet import features_key, features_without, read_features, write_features
from services.trainer.features.source import FeatureCache, FeatureSource
from services.trainer.full_lane.image_folder import ImageFolder, path_in
from services.trainer.full_lane.withdrawals import WithdrawnFeatures
from shared.runtime.errors import TransientError
from shared.tables.projection import wait_until_caught_up
from shared.testing import MemoryObjectStore, image_withdrawn, model_trained
from tests.integration.trainer.trainer_env import Parts, World

FIRST, SECOND, KEPT = (letter * 64 for letter in "abc")
KEY = "features/backbone/manifest.parquet"


def kept_features(*digests: str) -> bytes:
    return write_features(digests, np.arange(2 * len(digests), dtype=np.float32).reshape(-1, 2))


async def inside(world: World, key: str = KEY) -> set[str]:
    """Return of which images the file holds features; of none if it is not there."""
    return set(read_features(await world.store.get(key))) if await world.store.exists(key) else set()


@pytest.fixture
def images(world: World, tmp_path: Path) -> ImageFolder:
    return ImageFolder(world.store, tmp_path)


def handler(world: World, images: ImageFolder) -> WithdrawnFeatures:
    return WithdrawnFeatures(world.event_log, world.database, world.store, images)


def test_only_the_rows_of_the_withdrawn_images_go() -> None:
    data = kept_features(FIRST, KEPT)
    assert features_without(data, {SECOND}) is None
    rest = features_without(data, {FIRST, SECOND})
    assert rest is not None
    assert {digest: vector.tolist() for digest, vector in read_features(rest).items()} == {KEPT: [2.0, 3.0]}
    assert features_without(data, {FIRST, KEPT}) == b""


async def test_files_and_kept_features_go_and_a_repetition_changes_nothing(
    world: World, parts: Parts, images: ImageFolder
) -> None:
    path = path_in(images.folder, FIRST)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"bytes")
    await world.store.put(KEY, kept_features(FIRST, KEPT))
    await world.store.put("features/backbone/another.parquet", kept_features(FIRST))
    await world.store.put("features/backbone/broken.parquet", b"no such file")
    event = image_withdrawn(sha256=FIRST)
    async with parts.running("projection"):
        await world.publish(event)
        for _ in range(2):
            assert await handler(world, images).on_image_withdrawn(event) == []
    assert await inside(world) == {KEPT}
    assert await world.store.keys("features/") == ["features/backbone/broken.parquet", KEY]
    assert not path.exists()


async def test_two_processes_bring_nothing_back(world: World, parts: Parts, images: ImageFolder) -> None:
    await world.store.put(KEY, kept_features(FIRST, SECOND, KEPT))
    events = [image_withdrawn(sha256=digest) for digest in (FIRST, SECOND)]
    async with parts.running("projection"):
        await world.publish(*events)
        await asyncio.gather(*(handler(world, images).on_image_withdrawn(event) for event in events))
    assert await inside(world) == {KEPT}


async def test_a_training_under_way_keeps_nothing_of_it(world: World, parts: Parts, images: ImageFolder) -> None:
    trained = model_trained(lane="full", version="full-1")
    key = features_key(trained.backbone_id, trained.manifest_sha256)
    event = image_withdrawn(sha256=FIRST)
    async with parts.running("projection"):
        await world.publish(event)
        await handler(world, images).on_image_withdrawn(event)
        await world.store.put(key, kept_features(FIRST, KEPT))
        await handler(world, images).on_model_trained(trained)
    assert await inside(world, key) == {KEPT}


async def test_what_could_not_be_done_is_done_again(world: World, parts: Parts, images: ImageFolder) -> None:
    assert isinstance(world.store, MemoryObjectStore)
    await world.store.put(KEY, kept_features(FIRST, KEPT))
    event = image_withdrawn(sha256=FIRST)
    async with parts.running("projection"):
        await world.publish(event)
        world.store.away = True
        with pytest.raises(TransientError):
            await handler(world, images).on_image_withdrawn(event)
        world.store.away = False
        await handler(world, images).on_image_withdrawn(event)
    assert await inside(world) == {KEPT}


async def test_memory_forgets_it_as_well(world: World, parts: Parts) -> None:
    async with parts.running("projection"):
        image = await world.image("grass")
        cache = FeatureCache(10)
        cache["backbone", image.event.sha256] = cache["backbone/mirrored", KEPT] = np.zeros(2, np.float32)
        source = FeatureSource(world.store, cache)
        await source.prepared_images({image.event.sha256: image.event.object_key})
        source.forget(frozenset({image.event.sha256}))
        assert list(cache) == [("backbone/mirrored", KEPT)]
        await wait_until_caught_up(world.event_log, world.database, TOPICS, 10)
        await world.store.delete(image.event.object_key)
        assert (await source.prepared_images({image.event.sha256: image.event.object_key}))[0] == {}
