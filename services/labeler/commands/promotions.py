"""An operator asks the gate, or for a training in full."""

from functools import partial
from typing import Literal

from services.labeler.commands.outcomes import Accepted, Answered, Refused
from services.labeler.commands.sending import CommandBus, command_id
from services.labeler.queries import models
from shared.contract.events import ModelPromoted, ModelRejected, PromotionRequested, TrainingRequested

Action = Literal["rollback", "approve", "override", "freeze", "unfreeze"]


async def ask_gate(
    sending: CommandBus, action: Action, version: str | None, reason: str, user: str, key: str | None
) -> Answered | Accepted:
    """Publish a promotion.requested and wait for the gate's answer. `version` is None for freeze and unfreeze.

    Raises:
        Refused: model_unknown.
        TransientError: the log or the tables are away.
    """
    if version is not None and not await models.model_known(sending.database, version):
        raise Refused("model_unknown", f"There is no model {version!r}. `pappus history` lists them.")
    event_id = command_id(PromotionRequested.topic, user, key, action, version or "")
    if not await models.request_known(sending.database, event_id):
        await sending.publish(
            PromotionRequested(
                event_id=event_id,
                occurred_at=sending.clock(),
                model_name=sending.model_name,
                action=action,
                version=version,
                requested_by=user,
                reason=reason,
            )
        )
    answer: ModelPromoted | ModelRejected | None = await sending.wait_for(
        partial(models.answer, sending.database, event_id)
    )
    if answer is None:
        return Accepted(event_id=event_id)
    if isinstance(answer, ModelRejected):
        return Answered(outcome="rejected", version=answer.version, sequence=None, summary=answer.summary)
    return Answered(outcome="promoted", version=answer.version, sequence=answer.sequence, summary=answer.summary)


async def ask_training(sending: CommandBus, reason: str, user: str, key: str | None) -> Accepted:
    """Publish a training.requested; the model it makes, if any, comes much later. Raises TransientError."""
    event_id = command_id(TrainingRequested.topic, user, key)
    await sending.publish(
        TrainingRequested(
            event_id=event_id,
            occurred_at=sending.clock(),
            model_name=sending.model_name,
            reason="person",
            detail=reason,
            requested_by=user,
        )
    )
    return Accepted(event_id=event_id)
