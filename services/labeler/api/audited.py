"""Privileged acts: counted like every command, and written to the audit log with their outcome."""

from collections.abc import Awaitable, Sequence
from typing import TypeVar

from services.labeler.accounts.sessions import Principal
from services.labeler.api.metrics import Outcome, measured
from shared.clients.bulk import BulkResult
from shared.runtime.audit import audit
from shared.runtime.errors import TransientError

T = TypeVar("T", bound=Outcome)


async def audited(act: str, on: str | None, user: Principal, work: Awaitable[T], command: str | None = None) -> T:
    """Return the result of `work`, an act of `user` on `on`. It is counted as `command`, else as `act`."""

    def tell(outcome: str) -> None:
        audit(act, who=user.name, on=on, address=user.address, outcome=outcome)

    return await measured(command or act, work, tell)


async def audited_each(
    act: str, on: Sequence[str], user: Principal, work: Awaitable[BulkResult], command: str
) -> BulkResult:
    """The same for an act on several things, with a line for each and the outcome of each."""
    outcomes = dict.fromkeys(on, "failed")
    try:
        result = await measured(command, work)
        outcomes |= {str(item.image_id): item.outcome for item in result.items if str(item.image_id) in outcomes}
    except TransientError:
        outcomes = dict.fromkeys(on, "unavailable")
        raise
    finally:
        for thing, outcome in outcomes.items():
            audit(act, who=user.name, on=thing, address=user.address, outcome=outcome)
    return result
