"""The recorder's settings, from the environment (prefix PAPPUS_)."""

from pydantic import Field

from services.trainer.settings import TrainerSettings


class RecorderSettings(TrainerSettings):
    """The address of MLflow, beside the settings of every process of the trainer."""

    mlflow_url: str = "http://127.0.0.1:25000"
    alias_seconds: float = Field(default=10.0, gt=0, description="how often the alias is compared without being woken")
