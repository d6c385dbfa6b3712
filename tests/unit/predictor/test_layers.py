"""A layer alone serves on its base, which is fetched once, and is there again after a start."""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest

from services.predictor.model.artefact_folder import KEPT, ArtefactFolder
from services.predictor.model.model_files import ModelFiles
from services.predictor.model.onnx_model import InvalidArtefact, Model
from shared.contract.events import ModelPromoted
from shared.imaging.preprocessing import prepare_image
from shared.runtime.errors import PappusError
from shared.storage.object_store import ObjectMissing
from shared.testing import MemoryObjectStore
from tests.unit.predictor.promotions import promotion
from tests.unit.predictor.small_model import layer_on, picture, small_artefact

BASE = small_artefact()
KEY = "models/full-1/base.onnx"
RED = prepare_image(picture(250, 0, 0)).pixels
TO_GRASS = layer_on(BASE, KEY, [(UUID(int=1), (1, 0, 0), (0, 9))])
EMPTY = layer_on(BASE, KEY, [])


class CountingStore(MemoryObjectStore):
    """Remembers what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def get(self, key: str, limit_bytes: int | None = None) -> bytes:
        self.asked.append(key)
        return await super().get(key, limit_bytes)


@pytest.fixture
def folder(tmp_path: Path) -> ArtefactFolder:
    return ArtefactFolder(tmp_path / "artefacts")


async def stored(*layers: tuple[ModelPromoted, bytes]) -> CountingStore:
    store = CountingStore()
    await store.put(KEY, BASE)
    for event, data in layers:
        await store.put(event.artefact_key, data)
    return store


def says(model: Model) -> str:
    return model.metadata.labels[int(model.answer(RED).probabilities.argmax())]


async def test_layers_share_a_base_that_is_fetched_once(folder: ArtefactFolder) -> None:
    one, two = promotion(1, TO_GRASS), promotion(2, EMPTY)
    files = ModelFiles(await stored((one, TO_GRASS), (two, EMPTY)), folder)
    corrected, plain = await asyncio.gather(files.fetch(one), files.fetch(two))
    assert (says(corrected.model), says(plain.model)) == ("grass", "dandelion")
    assert says(corrected.model) == "grass", "the layer of the other model changed this one"
    assert corrected.model.graph is plain.model.graph
    assert corrected.model.metadata.corrections == ((UUID(int=1), 1),)


async def test_a_whole_model_in_memory_is_the_base_of_the_layers_after_it(folder: ArtefactFolder) -> None:
    whole, layer = promotion(1, BASE), promotion(2, TO_GRASS)
    store = await stored((whole, BASE), (layer, TO_GRASS))
    files = ModelFiles(store, folder)
    await files.fetch(whole)
    assert says((await files.fetch(layer)).model) == "grass"
    assert store.asked == [whole.artefact_key, layer.artefact_key]


async def test_after_a_start_layer_and_base_are_on_disk(folder: ArtefactFolder) -> None:
    event = promotion(1, TO_GRASS)
    loaded = await ModelFiles(await stored((event, TO_GRASS)), folder).fetch(event)
    folder.keep(event, loaded.artefact, loaded.model.graph.artefact)
    kept = await ModelFiles(MemoryObjectStore(), folder).read_kept(event)
    assert kept is not None
    assert says(kept.model) == "grass"


async def test_a_damaged_base_on_disk_is_fetched_again(folder: ArtefactFolder, tmp_path: Path) -> None:
    event = promotion(1, TO_GRASS)
    store = await stored((event, TO_GRASS))
    folder.keep(event, TO_GRASS, BASE)
    next((tmp_path / "artefacts").glob("*.base")).write_bytes(BASE[:-1])
    kept = await ModelFiles(store, folder).read_kept(event)
    assert kept is not None
    assert store.asked == [KEY]


def test_only_the_last_bases_are_kept_each_once(folder: ArtefactFolder, tmp_path: Path) -> None:
    for number in range(1, 7):
        folder.keep(promotion(number, bytes([number])), bytes([number]), bytes([200 + number // 3]))
    assert len(list((tmp_path / "artefacts").glob("*.base"))) == 3
    for number in range(7, 13):
        folder.keep(promotion(number, bytes([number])), bytes([number]), bytes([200 + number]))
    assert len(list((tmp_path / "artefacts").glob("*.base"))) == KEPT


async def test_without_its_base_a_layer_cannot_serve(folder: ArtefactFolder) -> None:
    event = promotion(1, TO_GRASS)
    store = await stored((event, TO_GRASS))
    await store.put(KEY, small_artefact(bias=(1.0, 0.0)))
    with pytest.raises(PappusError, match="replaced"):
        await ModelFiles(store, folder).fetch(event)
    del store.objects[KEY]
    with pytest.raises(ObjectMissing):
        await ModelFiles(store, folder).fetch(event)


@pytest.mark.parametrize("key", ["images/sha256/ab/abcd", "uploads/ab/abcd", "models/x", "models/a/../b"])
async def test_a_base_lies_where_models_lie(folder: ArtefactFolder, key: str) -> None:
    data = layer_on(BASE, key, [])
    event = promotion(1, data)
    store = await stored((event, data))
    await store.put(key, BASE)
    with pytest.raises(PappusError, match="where no object of that version lies"):
        await ModelFiles(store, folder).fetch(event)


async def test_a_layer_of_another_width_is_refused(folder: ArtefactFolder) -> None:
    other = small_artefact(bias=(0.0, 0.0))
    narrow = layer_on(other, KEY, [])
    wide = promotion(1, narrow)
    files = ModelFiles(await stored((wide, narrow)), folder)
    await files.fetch(wide)
    stranger = promotion(2, EMPTY)
    base_of_base = layer_on(EMPTY, stranger.artefact_key, [])
    event = promotion(3, base_of_base)
    files = ModelFiles(await stored((stranger, EMPTY), (event, base_of_base)), folder)
    with pytest.raises(InvalidArtefact, match="layer alone"):
        await files.fetch(event)
