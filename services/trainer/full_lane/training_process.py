"""The workshop, called in its own process."""

from typing import TypeVar

from services.trainer.full_lane.jobs import FitJob, Fitted, Learned, LearnJob, Parameters
from services.trainer.full_lane.worker_process import WorkerProcess

T = TypeVar("T")

MODULE = "services.trainer.full_lane.training_steps"


class TrainingProcess:
    """`services.trainer.full_lane.training_steps` behind a warm child: torch is imported while nobody waits for it."""

    def __init__(self, child: WorkerProcess, backbone: str, backbone_settings: dict[str, int | float]) -> None:
        self._child = child
        self._recipe = (backbone, backbone_settings)

    async def warm(self) -> None:
        """Have the process ready before the first training."""
        await self._child.call("load_libraries")

    async def parameters(self) -> Parameters:
        """See Workshop."""
        found = await self._child.call("parameters", *self._recipe)
        return dict(found)

    async def learn(self, job: LearnJob) -> Learned:
        """See Workshop."""
        return _of_type(Learned, await self._child.call("learn", job))

    async def fit(self, job: FitJob) -> Fitted:
        """See Workshop."""
        return _of_type(Fitted, await self._child.call("fit", job))


def _of_type(kind: type[T], value: object) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"The training process answered with {type(value).__name__}, not {kind.__name__}.")
    return value
