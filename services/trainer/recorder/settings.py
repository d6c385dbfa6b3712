"""The recorder's settings, from the environment (prefix PAPPUS_)."""

from pydantic import Field, SecretStr

from services.trainer.settings import TrainerSettings


class RecorderSettings(TrainerSettings):
    """The address of MLflow and the login there, beside the settings of every process of the trainer."""

    mlflow_url: str = Field(pattern="^https?://")
    mlflow_username: str = Field(default="", description="who writes; empty: MLflow asks for no login")
    mlflow_password: SecretStr = SecretStr("")
    alias_seconds: float = Field(default=10.0, gt=0, description="how often the alias is compared without being woken")

    @property
    def mlflow_login(self) -> tuple[str, str]:
        """Name and password for MLflow."""
        return self.mlflow_username, self.mlflow_password.get_secret_value()
