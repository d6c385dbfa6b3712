"""Artefacts from the object store: checked by hash before anybody loads them, the latest few kept in memory."""

from collections import OrderedDict
from hashlib import sha256

from shared.contract.events import ArtefactOfModel
from shared.runtime.errors import PappusError
from shared.storage.object_store import ObjectStore


class ArtefactHashMismatch(PappusError):
    """The bytes under an artefact's key are not those its event announced."""


class ArtefactStore:
    """Reads artefacts, each hash once as long as it is among the `kept` latest. Artefacts are up to 10 MB."""

    def __init__(self, store: ObjectStore, kept: int = 4) -> None:
        self._store = store
        self._kept = kept
        self._known: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    async def load(self, model: ArtefactOfModel) -> bytes:
        """The artefact of this version.

        Raises:
            ArtefactBroken: the hash is another one.
            ObjectMissing: it is gone.
            TransientError: the store did not answer.
        """
        data = self._known.get((model.artefact_key, model.artefact_sha256))
        if data is None:
            data = await self._store.get(model.artefact_key)
            if (found := sha256(data).hexdigest()) != model.artefact_sha256:
                raise ArtefactHashMismatch(
                    f"The artefact of {model.version} has sha256 {found[:12]}... instead of "
                    f"{model.artefact_sha256[:12]}...: {model.artefact_key} was replaced. Restore it or train again."
                )
        self.keep(model.artefact_key, model.artefact_sha256, data)
        return data

    def keep(self, key: str, digest: str, data: bytes) -> None:
        """Remember what lies under `key` with this sha256, because it will be asked for."""
        self._known[key, digest] = data
        self._known.move_to_end((key, digest))
        while len(self._known) > self._kept:
            self._known.popitem(last=False)

    def forget(self, model: ArtefactOfModel) -> None:
        """Look into the store again at the next `load`."""
        self._known.pop((model.artefact_key, model.artefact_sha256), None)
