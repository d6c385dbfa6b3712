"""Artefacts from the object store: compared with the announced hash, looked through, and parsed."""

import asyncio
from collections.abc import MutableMapping

from services.trainer.model.onnx_artefact import Artefact, ArtefactFile
from shared.contract.artefact import LARGEST_ARTEFACT_BYTES, BaseArtefact, check_artefact_key, check_base_key
from shared.contract.events import ArtefactOfModel
from shared.runtime.errors import InvalidMessage
from shared.storage.object_store import ObjectTooLarge
from shared.storage.verified import ReadableStore, get_verified

PARSED_AT_ONCE = 64 * 1024
"""So many bytes, as those of most layers, are parsed within a millisecond: a thread for it would cost more."""


async def load_artefact(
    store: ReadableStore, model: ArtefactOfModel, bases: MutableMapping[str, Artefact] | None = None
) -> Artefact:
    """Return the artefact of this version, parsed once. `bases`: whole artefacts in memory by sha256, for the layers
    that name them; new ones are added.

    Raises:
        HashMismatch: an object holds other bytes than were announced.
        ObjectMissing: an object is gone.
        InvalidMessage: the bytes are not an artefact, or too many, or lie where no artefact of this version does.
        TransientError: the store did not answer.
    """
    check_artefact_key(model.artefact_key, model.version)
    known = {} if bases is None else bases
    if (in_memory := known.get(model.artefact_sha256)) is not None and in_memory.key == model.artefact_key:
        return in_memory
    found = await _read(store, BaseArtefact(model.artefact_key, model.artefact_sha256))
    base = found.base
    if base is None:
        artefact = await asyncio.to_thread(found.whole)
        known[artefact.sha256] = artefact
        return artefact
    if base.sha256 not in known:
        check_base_key(base.key)
        whole = await _read(store, base)
        known[base.sha256] = await asyncio.to_thread(whole.whole)
    return found.on(known[base.sha256])


async def _read(store: ReadableStore, named: BaseArtefact) -> ArtefactFile:
    try:
        data = await get_verified(store, named.key, named.sha256, LARGEST_ARTEFACT_BYTES)
    except ObjectTooLarge as error:
        raise InvalidMessage(f"{error} A model has fewer.") from error
    if len(data) <= PARSED_AT_ONCE:
        return ArtefactFile.parse(data, named.key)
    return await asyncio.to_thread(ArtefactFile.parse, data, named.key)
