"""The commands of operators: requests to the gate, and full trainings."""

from functools import partial

from services.labeler.commands.command_bus import CommandBus, command_id
from services.labeler.commands.outcomes import Refused
from services.labeler.queries import models
from shared.clients.answers import Accepted, GateAnswer
from shared.clients.labeler import GateAction
from shared.contract.events import ModelPromoted, ModelRejected, PromotionRequested, TrainingRequested


async def ask_gate(
    command_bus: CommandBus, action: GateAction, version: str | None, reason: str, user: str, key: str | None
) -> GateAnswer | Accepted:
    """Publish a promotion.requested and wait for the gate's answer. `version` is None for freeze and unfreeze.

    Raises:
        Refused: model_unknown.
        TransientError: the log or the tables are unavailable.
    """
    if version is not None and not await models.model_known(command_bus.database, version):
        raise Refused("model_unknown", f"There is no model {version!r}. `pappus history` lists them.")
    event_id = command_id(PromotionRequested.topic, user, key, action, version or "")
    if not await models.request_known(command_bus.database, event_id):
        await command_bus.publish(
            PromotionRequested(
                event_id=event_id,
                occurred_at=command_bus.clock(),
                model_name=command_bus.model_name,
                action=action,
                version=version,
                requested_by=user,
                reason=reason,
            )
        )
    answer: ModelPromoted | ModelRejected | None = await command_bus.wait_for(
        partial(models.answer, command_bus.database, event_id)
    )
    if answer is None:
        return Accepted(event_id=event_id)
    if isinstance(answer, ModelRejected):
        return GateAnswer(outcome="rejected", version=answer.version, sequence=None, summary=answer.summary)
    return GateAnswer(outcome="promoted", version=answer.version, sequence=answer.sequence, summary=answer.summary)


async def request_training(command_bus: CommandBus, reason: str, user: str, key: str | None) -> Accepted:
    """Publish a training.requested; its model, if any, follows minutes later. Raises TransientError."""
    event_id = command_id(TrainingRequested.topic, user, key)
    await command_bus.publish(
        TrainingRequested(
            event_id=event_id,
            occurred_at=command_bus.clock(),
            model_name=command_bus.model_name,
            reason="person",
            detail=reason,
            requested_by=user,
        )
    )
    return Accepted(event_id=event_id)
