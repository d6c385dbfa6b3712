"""The full lane's settings, from the environment (prefix PAPPUS_)."""

from pydantic import Field

from services.trainer.settings import TrainerSettings


class FullLaneSettings(TrainerSettings):
    """The settings of a full training, beside those of every process of the trainer."""

    backbone: str = Field(default="patches", description="which backbone to learn, by name")
    backbone_settings: dict[str, int | float | str] = Field(
        default_factory=dict, description="its hyper-parameters, as JSON"
    )
    trainings: int = Field(default=0, ge=0, description="after how many trainings the process ends; 0: never")
    rank: int = Field(default=0, ge=0, validation_alias="RANK", description="set by torchrun: which process this is")
    background_niceness: int = Field(
        default=10, ge=0, le=19, description="lower CPU priority of a training; 0: none, for a machine of its own"
    )
    samples_caught_up_seconds: float = Field(default=60.0, gt=0, description="how long to wait for the samples")
    sweep_hours: float = Field(
        default=1.0,
        ge=0,
        description="how often artefacts that nothing needs are deleted, beside at the start; 0: never",
    )
    kept_candidates: int = Field(
        default=20, ge=1, description="of candidates that never served, the newest of each lane that are kept"
    )
    swept_after_hours: float = Field(default=24.0, ge=1, description="no younger artefact is deleted")
