"""An artefact is used only if its bytes are those that were announced."""

from hashlib import sha256

import pytest

from services.trainer.data.artefacts import load_artefact
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
