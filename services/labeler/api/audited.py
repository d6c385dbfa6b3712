"""Privileged acts: counted like every command, and written to the audit log with their outcome."""

from collections.abc import Awaitable
from typing import TypeVar

from services.labeler.accounts.sessions import Principal
from services.labeler.api.metrics import Outcome, measured
from shared.runtime.audit import audit

T = TypeVar("T", bound=Outcome)


async def audited(act: str, on: str | None, user: Principal, work: Awaitable[T], command: str | None = None) -> T:
    """Return the result of `work`, an act of `user` on `on`. It is counted as `command`, else as `act`."""

    def tell(outcome: str) -> None:
        audit(act, who=user.name, on=on, address=user.address, outcome=outcome)

    return await measured(command or act, work, tell)
