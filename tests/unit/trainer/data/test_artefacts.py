"""An artefact is used only if its bytes are those that were announced."""

from hashlib import sha256

import pytest

from services.trainer.data.artefacts import load_artefact
from shared.contract.artefact import LARGEST_ARTEFACT_BYTES
from shared.runtime.errors import InvalidMessage
from shared.storage.object_store import ObjectMissing
from shared.storage.verified import HashMismatch
from shared.testing import MemoryObjectStore, model_trained
from tests.unit.trainer.model.test_onnx_artefact import assembled


async def test_an_artefact_comes_with_its_pieces() -> None:
    store, artefact = MemoryObjectStore(), assembled()
    model = model_trained(version="v1", artefact_sha256=artefact.sha256)
    await store.put(model.artefact_key, artefact.data)
    loaded = await load_artefact(store, model)
    assert (loaded.data, loaded.metadata) == (artefact.data, artefact.metadata)


async def test_gone_replaced_or_damaged_artefacts_are_refused() -> None:
    store = MemoryObjectStore()
    model = model_trained(version="v1", artefact_sha256=sha256(b"no artefact").hexdigest())
    with pytest.raises(ObjectMissing):
        await load_artefact(store, model)
    await store.put(model.artefact_key, b"other bytes")
    with pytest.raises(HashMismatch, match=model.artefact_key):
        await load_artefact(store, model)
    await store.put(model.artefact_key, b"no artefact")
    with pytest.raises(InvalidMessage):
        await load_artefact(store, model)


@pytest.mark.parametrize(
    "key",
    ["images/sha256/ab/abcd", "models/v2/model.onnx", "models/v1/../v2/a.onnx", "models/v1/", "uploads/models/v1/a"],
)
async def test_a_key_that_is_not_of_the_version_is_not_read(key: str) -> None:
    store, artefact = MemoryObjectStore(), assembled()
    await store.put(key, artefact.data)
    with pytest.raises(InvalidMessage, match="no object of that version"):
        await load_artefact(store, model_trained(version="v1", artefact_key=key, artefact_sha256=artefact.sha256))


async def test_an_artefact_under_the_key_of_former_times_is_read() -> None:
    store, artefact = MemoryObjectStore(), assembled()
    await store.put("models/v1/model.onnx", artefact.data)
    model = model_trained(version="v1", artefact_key="models/v1/model.onnx", artefact_sha256=artefact.sha256)
    assert (await load_artefact(store, model)).data == artefact.data


async def test_a_larger_artefact_than_any_model_is_not_read() -> None:
    store, data = MemoryObjectStore(), bytes(LARGEST_ARTEFACT_BYTES + 1)
    model = model_trained(version="v1", artefact_sha256=sha256(data).hexdigest())
    await store.put(model.artefact_key, data)
    with pytest.raises(InvalidMessage, match="100000001 bytes"):
        await load_artefact(store, model)
