"""Which artefacts are kept, and which the next sweep deletes. Reads, and deletes nothing."""

from collections.abc import Sequence
from typing import Any

from services.trainer.full_lane.decisions.unneeded import PREFIX, Judgement
from services.trainer.full_lane.settings import FullLaneSettings
from services.trainer.full_lane.sweeper import look_through
from services.trainer.lineage.models import ModelReader
from shared.storage.object_store import KeptObject


async def sweep_ahead(reader: ModelReader, settings: FullLaneSettings) -> dict[str, Any]:
    """Return the artefacts that the next sweep deletes, the oldest first, and how many are kept and why, as the tables
    are now. Raises TransientError if store or tables do not answer."""
    swept = await look_through(await reader.store.list_objects(PREFIX), reader.database, settings)
    going = sorted(swept.unneeded, key=lambda one: one[0].modified_at)
    reasons = dict.fromkeys(judgement.reason for _, judgement in swept.judged if not judgement.goes)
    return {
        "kept": [
            _sum(reason, [kept for kept, one in swept.judged if not one.goes and one.reason == reason])
            for reason in sorted(reasons)
        ],
        "going": [_going(kept, judgement) for kept, judgement in going],
        "size_bytes": sum(kept.size_bytes for kept, _ in swept.judged),
    }


def _sum(reason: str, objects: Sequence[KeptObject]) -> dict[str, Any]:
    return {"reason": reason, "artefacts": len(objects), "size_bytes": sum(one.size_bytes for one in objects)}


def _going(kept: KeptObject, judgement: Judgement) -> dict[str, Any]:
    return {
        "key": kept.key,
        "size_bytes": kept.size_bytes,
        "put_at": kept.modified_at.isoformat(),
        "reason": judgement.reason,
    }
