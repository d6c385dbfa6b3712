"""The training steps, called in the child process."""

from typing import TypeVar

from services.trainer.full_lane.jobs import FitJob, Fitted, Learned, LearnJob, Parameters
from shared.runtime.worker_process import WorkerProcess

T = TypeVar("T")

MODULE = "services.trainer.full_lane.training_steps"


async def follow() -> None:
    """Under torchrun, in all processes but the first: learn backbones together with it, until it ends."""
    with WorkerProcess(MODULE) as child:
        await child.call("follow")


class TrainingProcess:
    """`TrainingSteps` (see handlers) in a warm child process, which imports torch ahead of the first training."""

    def __init__(self, child: WorkerProcess, backbone: str, backbone_settings: dict[str, int | float | str]) -> None:
        self._child = child
        self._backbone = (backbone, backbone_settings)

    async def warm(self) -> None:
        """Prepare the process for the first training."""
        await self._child.call("load_libraries")

    async def end_following(self) -> None:
        """Under torchrun: end the other processes, which follow this one."""
        await self._child.call("end_following")

    async def parameters(self) -> Parameters:
        """See TrainingSteps."""
        found = await self._child.call("parameters", *self._backbone)
        return dict(found)

    async def learn(self, job: LearnJob) -> Learned:
        """See TrainingSteps."""
        return _of_type(Learned, await self._child.call("learn", job))

    async def fit(self, job: FitJob) -> Fitted:
        """See TrainingSteps."""
        return _of_type(Fitted, await self._child.call("fit", job))


def _of_type(kind: type[T], value: object) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"The training process answered with {type(value).__name__}, not {kind.__name__}.")
    return value
