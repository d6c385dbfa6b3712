"""Artefacts from the object store: compared with the announced hash, looked through, and parsed."""

import asyncio

from services.trainer.model.onnx_artefact import Artefact
from shared.contract.artefact import LARGEST_ARTEFACT_BYTES, check_artefact_key
from shared.contract.events import ArtefactOfModel
from shared.runtime.errors import InvalidMessage
from shared.storage.object_store import ObjectStore, ObjectTooLarge
from shared.storage.verified import get_verified


async def load_artefact(store: ObjectStore, model: ArtefactOfModel) -> Artefact:
    """Return the artefact of this version, parsed once.

    Raises:
        HashMismatch: the object holds other bytes than were announced.
        ObjectMissing: the object is gone.
        InvalidMessage: the bytes are not an artefact, or too many, or lie where no artefact of this version does.
        TransientError: the store did not answer.
    """
    check_artefact_key(model.artefact_key, model.version)
    try:
        data = await get_verified(store, model.artefact_key, model.artefact_sha256, LARGEST_ARTEFACT_BYTES)
    except ObjectTooLarge as error:
        raise InvalidMessage(f"{error} A model has fewer.") from error
    return await asyncio.to_thread(Artefact.parse, data)
