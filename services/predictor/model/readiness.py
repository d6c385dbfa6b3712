"""A process is ready when it has a model, even while dependencies are away."""

from services.predictor.model.holder import ServingModel
from services.predictor.model.loader import Failure, Notify
from shared.runtime.health import Health

MODEL_PART = "model"


def readiness(health: Health) -> Notify:
    """Report the state of the model in `health`, at first that there is none. Return the listener for the loader."""
    health.set(MODEL_PART, False, "No model has been loaded yet. The first promotion changes that.")

    def notify(serving: ServingModel | None, failure: Failure | None) -> None:
        wanted = f"{failure.promotion.version} was promoted but cannot be loaded: {failure.detail}" if failure else ""
        if serving is None:
            health.set(MODEL_PART, False, wanted)
        else:
            answers = f"{serving.promotion.version} answers (promotion {serving.promotion.sequence})"
            health.set(MODEL_PART, True, f"{answers}; {wanted}" if wanted else answers)

    return notify
