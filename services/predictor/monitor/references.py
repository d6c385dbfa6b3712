"""The reference of each model that is or was in service, read from its artefact."""

import asyncio
import time
from collections.abc import Callable

from services.predictor.decisions.promotions import Promotions
from services.predictor.monitor.decisions.pictures import Reference
from shared.artefacts import parse_artefact
from shared.contract.artefact import LARGEST_ARTEFACT_BYTES, METADATA_KEY, ArtefactMetadata, check_artefact_key
from shared.contract.events import ModelPromoted
from shared.drift.reference import check_reference
from shared.runtime.errors import InvalidMessage
from shared.runtime.telemetry import logger
from shared.storage.object_store import ObjectMissing, ObjectTooLarge
from shared.storage.verified import HashMismatch, ReadableStore, get_verified

KEPT = 8
AGAIN_SECONDS = 30.0
"""An artefact that is missing or damaged is looked for again after so long: it may have been restored."""
OF_PEOPLE = ("rollback", "override", "approve")


class References:
    """Finds references by version, and keeps the latest: nearly all versions share one, that of the last full
    training."""

    def __init__(self, store: ReadableStore, seconds: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._seconds = seconds
        self._promotions: Promotions | None = None
        self._by_id: dict[str, Reference] = {}
        self._of_artefact: dict[str, str | None] = {}
        self._missing_since: dict[str, float] = {}

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

    def newest_change(self) -> ModelPromoted | None:
        """Return the newest promotion that may have brought another reference into service: of a full model, or by a
        person. None if none is remembered."""
        changes = (each for each in self._newest_first() if each.lane == "full" or each.route in OF_PEOPLE)
        return next(changes, None)

    async def find(self, reference: str, version: str) -> Reference | None:
        """Return the reference with this name, from the artefact of `version`, or of the model in service if that is
        too old to be remembered; None if neither has it now.

        Raises:
            TransientError: the object store is away.
        """
        newest = self._newest_first()
        for promotion in [*(each for each in newest if each.version == version), *newest[:1]]:
            if reference in self._by_id:
                break
            await self.of(promotion)
        return self._by_id.get(reference)

    async def of(self, promotion: ModelPromoted) -> Reference | None:
        """Return the reference of the artefact of a promotion; None if it has none, or is gone or damaged.

        Raises:
            TransientError: the object store is away.
        """
        digest = promotion.artefact_sha256
        if digest not in self._of_artefact and not self.is_missing(promotion):
            try:
                found = await self._read(promotion)
            except (ObjectMissing, ObjectTooLarge, HashMismatch) as error:
                self._missing_since[digest] = self._seconds()
                logger.warning("an artefact cannot be read, its answers are not compared", reason=str(error))
                return None
            except InvalidMessage as error:
                logger.warning("an artefact has no usable reference", version=promotion.version, reason=str(error))
                found = None
            self._keep(digest, found)
        return self._by_id.get(self._of_artefact.get(digest) or "")

    def is_missing(self, promotion: ModelPromoted) -> bool:
        """Return whether the artefact was found to be gone or damaged a moment ago."""
        since = self._missing_since.get(promotion.artefact_sha256)
        return since is not None and self._seconds() - since < AGAIN_SECONDS

    def _keep(self, digest: str, found: Reference | None) -> None:
        self._of_artefact[digest] = None if found is None else found.id
        if found is not None:
            self._by_id.pop(found.id, None)  # the newest last, as in `_of_artefact`: no artefact outlives its reference
            self._by_id[found.id] = found
        for kept in (self._of_artefact, self._by_id, self._missing_since):
            while len(kept) > KEPT:
                del kept[next(iter(kept))]

    def _newest_first(self) -> list[ModelPromoted]:
        return [] if self._promotions is None else list(reversed(self._promotions.counting))

    async def _read(self, promotion: ModelPromoted) -> Reference | None:
        check_artefact_key(promotion.artefact_key, promotion.version)
        artefact = await get_verified(
            self._store, promotion.artefact_key, promotion.artefact_sha256, LARGEST_ARTEFACT_BYTES
        )
        return await asyncio.to_thread(_reference, artefact)


def _reference(artefact: bytes) -> Reference | None:
    """Return the reference in an artefact, which may come from a stranger; None if it has none. Raises
    InvalidMessage."""
    properties = {entry.key: entry.value for entry in parse_artefact(artefact).metadata_props}
    metadata = ArtefactMetadata.from_json(properties.get(METADATA_KEY, ""))
    if metadata.drift is None:
        return None
    check_reference(metadata.drift, len(metadata.labels))
    return Reference(metadata.drift, metadata.labels)
