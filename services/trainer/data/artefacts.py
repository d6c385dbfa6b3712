"""Artefacts from the object store: compared with the announced hash, then parsed."""

import asyncio

from services.trainer.model.onnx_artefact import Artefact
from shared.contract.events import ArtefactOfModel
from shared.storage.object_store import ObjectStore
from shared.storage.verified import get_verified


async def load_artefact(store: ObjectStore, model: ArtefactOfModel) -> Artefact:
    """Return the artefact of this version, parsed once.

    Raises:
        HashMismatch: the object holds other bytes than were announced.
        ObjectMissing: the object is gone.
        InvalidMessage: the bytes are not an artefact.
        TransientError: the store did not answer.
    """
    data = await get_verified(store, model.artefact_key, model.artefact_sha256)
    return await asyncio.to_thread(Artefact.parse, data)
