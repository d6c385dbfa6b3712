"""What an operator's request means, given what the tables show. Pure."""

from dataclasses import dataclass

from services.trainer.dataset.records import Champion, ModelRow
from services.trainer.gate.decisions.verdict_events import Decision, Promote, Reject
from shared.contract.events import ModelTrained, PromotionRequested


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What the tables show: the champion, and the version that the request names (None if it does not exist)."""

    champion: Champion | None
    target: ModelRow | None


@dataclass(frozen=True, slots=True)
class RequiresLoad:
    """Take this decision if the artefact of its model can be loaded and answers."""

    decision: Promote


@dataclass(frozen=True, slots=True)
class RequiresEvaluation:
    """Take this decision if the gate, asked now, would promote the model."""

    decision: Promote


def plan_request(
    request: PromotionRequested, context: RequestContext
) -> Reject | Promote | RequiresLoad | RequiresEvaluation:
    """Return what to do about a request. Every one is answered: a Reject says why it is refused."""
    if request.action in ("freeze", "unfreeze"):
        return _freeze(request, context.champion)
    if context.target is None:
        named = f"version {request.version}" if request.version else "a version that is not named"
        return Reject(None, f"{request.action} of {named}: there is no such version. `pappus history` lists them.")
    if context.champion is not None and context.champion.version == context.target.trained.version:
        return Reject(request.version, f"{request.version} serves already. To keep it in service, freeze promotions.")
    if request.action == "rollback":
        return _rollback(request, context.champion, context.target)
    return _approve(request, context.champion, context.target)


def reason_if_superseded(model: ModelTrained, champion: Champion | None) -> str | None:
    """Return why a candidate of the fast lane came too late: the champion it was made from is not in service any more.
    None if it is not so."""
    if model.lane == "full" or (champion is not None and champion.version == model.parent):
        return None
    serving = "nothing" if champion is None else champion.version
    return f"It was made from {model.parent}, but {serving} serves now; the fast lane makes it again."


def reason_frozen(summary: str) -> str:
    """Return the sentence that promotions are frozen. `summary`: of the promotion that froze them, with or without a
    stop."""
    return f"Promotions are frozen: {summary.rstrip('.')}."


def _rolled_back_since(request: PromotionRequested, champion: Champion) -> bool:
    """Whether a rollback overtook the request: it does not wait for a candidate that is still being measured."""
    return champion.promotion.route == "rollback" and champion.promotion.occurred_at > request.occurred_at


def _freeze(request: PromotionRequested, champion: Champion | None) -> Decision:
    freeze = request.action == "freeze"
    if champion is None:
        return Reject(None, f"Nothing is in service yet, so there is nothing to {request.action}.")
    if champion.frozen == freeze:
        return Reject(champion.version, f"Promotions are {'frozen already' if freeze else 'not frozen'}.")
    done = "froze promotions" if freeze else "lifted the freeze of promotions"
    summary = f"{request.requested_by} {done}: {request.reason}"
    return Promote(champion.model, "freeze" if freeze else "unfreeze", summary, frozen=freeze)


def _rollback(request: PromotionRequested, champion: Champion | None, target: ModelRow) -> Reject | RequiresLoad:
    if not target.promoted:
        return Reject(request.version, f"{request.version} was never in service. Approve or override it instead.")
    serving = "nothing" if champion is None else champion.version
    return RequiresLoad(
        Promote(
            target.trained,
            "rollback",
            f"{request.requested_by} rolled back from {serving} to {request.version} and froze promotions: "
            f"{request.reason}",
            frozen=True,
        )
    )


def _approve(
    request: PromotionRequested, champion: Champion | None, target: ModelRow
) -> Reject | RequiresLoad | RequiresEvaluation:
    if target.promoted:
        return Reject(request.version, f"{request.version} was in service before. Roll back to it instead.")
    frozen = champion is not None and champion.frozen
    if request.action == "approve":
        if champion is not None and _rolled_back_since(request, champion):
            return Reject(request.version, f"{champion.promotion.summary} That was after this request: ask again.")
        summary = f"{request.requested_by} approved {request.version}: {request.reason}"
        return RequiresEvaluation(Promote(target.trained, "approve", summary, frozen))
    if not request.reason.strip():
        return Reject(request.version, "An override goes against the verdict: it needs a reason.")
    summary = f"{request.requested_by} put {request.version} into service despite its verdict: {request.reason}"
    return RequiresLoad(Promote(target.trained, "override", summary, frozen))
