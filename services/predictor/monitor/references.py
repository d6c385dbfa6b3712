"""The reference of each model that is or was in service, read from its artefact."""

import asyncio

from services.predictor.decisions.promotions import Promotions
from services.predictor.monitor.decisions.pictures import Reference
from shared.artefacts import parse_artefact
from shared.contract.artefact import LARGEST_ARTEFACT_BYTES, METADATA_KEY, ArtefactMetadata, check_artefact_key
from shared.contract.events import ModelPromoted
from shared.runtime.errors import InvalidMessage
from shared.runtime.telemetry import logger
from shared.storage.object_store import ObjectMissing, ObjectTooLarge
from shared.storage.verified import HashMismatch, ReadableStore, get_verified

KEPT = 8


class References:
    """Finds references by version, and keeps the latest: nearly all versions share one, that of the last full
    training."""

    def __init__(self, store: ReadableStore) -> None:
        self._store = store
        self._promotions: Promotions | None = None
        self._of_artefact: dict[str, Reference | None] = {}

    def set_promotions(self, promotions: Promotions) -> None:
        """Take the promotions that count."""
        self._promotions = promotions

    @property
    def known(self) -> bool:
        """Whether the promotions were read once: before that no answer can be placed."""
        return self._promotions is not None

    def sequence(self, version: str) -> int | None:
        """Return the number of the latest promotion of this version; None if it is not among those remembered."""
        return next((each.sequence for each in self._newest_first() if each.version == version), None)

    async def find(self, reference: str, version: str) -> Reference | None:
        """Return the reference with this name, from the artefact of `version`, or of the model in service if that is
        too old to be remembered; None if neither has it.

        Raises:
            TransientError: the object store is away.
        """
        newest = self._newest_first()
        for promotion in [*(each for each in newest if each.version == version), *newest[:1]]:
            found = await self._reference_of(promotion)
            if found is not None and found.id == reference:
                return found
        return None

    def _newest_first(self) -> list[ModelPromoted]:
        return [] if self._promotions is None else list(reversed(self._promotions.counting))

    async def _reference_of(self, promotion: ModelPromoted) -> Reference | None:
        """Return the reference of an artefact; None if it has none, or is gone or damaged."""
        digest = promotion.artefact_sha256
        if digest not in self._of_artefact:
            try:
                self._of_artefact[digest] = await self._read(promotion)
            except (InvalidMessage, ObjectMissing, ObjectTooLarge, HashMismatch) as error:
                logger.warning("an artefact cannot be read, its answers are not compared", reason=str(error))
                self._of_artefact[digest] = None
            while len(self._of_artefact) > KEPT:
                del self._of_artefact[next(iter(self._of_artefact))]
        return self._of_artefact[digest]

    async def _read(self, promotion: ModelPromoted) -> Reference | None:
        check_artefact_key(promotion.artefact_key, promotion.version)
        artefact = await get_verified(
            self._store, promotion.artefact_key, promotion.artefact_sha256, LARGEST_ARTEFACT_BYTES
        )
        metadata = await asyncio.to_thread(_metadata, artefact)
        return None if metadata.drift is None else Reference(metadata.drift, metadata.labels)


def _metadata(artefact: bytes) -> ArtefactMetadata:
    """Return what an artefact, which may come from a stranger, says about itself. Raises InvalidMessage."""
    properties = {entry.key: entry.value for entry in parse_artefact(artefact).metadata_props}
    return ArtefactMetadata.from_json(properties.get(METADATA_KEY, ""))
