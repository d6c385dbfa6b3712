"""Settings from the environment (prefix PAPPUS_), typed. Read here and in each service's settings.py only."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What every process needs. A service adds its own fields in its `settings.py`."""

    model_config = SettingsConfigDict(env_prefix="PAPPUS_", frozen=True, extra="ignore", protected_namespaces=())

    kafka_bootstrap: str = "127.0.0.1:29092"
    database_url: SecretStr = SecretStr("")
    s3_endpoint: str = "http://127.0.0.1:29000"
    s3_region: str = "us-east-1"
    s3_bucket: str = "pappus"
    s3_access_key: SecretStr = SecretStr("")
    s3_secret_key: SecretStr = SecretStr("")
    health_port: int = Field(default=0, ge=0, le=65535, description="0 lets the system choose")
    writer_silence_seconds: float = Field(
        default=10.0, ge=3, description="after how long a silent writer of the tables is replaced by one that stands by"
    )
    lost_records: tuple[str, ...] = Field(
        default=(), description="damaged records to go on without, each as topic[partition]@offset"
    )
    replica: str = Field(
        default="local", description="the name of this process; once it is set, no other process may have it"
    )
    state_folder: Path = Path(".pappus/services/local")
    labels: tuple[str, ...] = ("dandelion", "grass")
    model_name: str = "plants"
    log_level: str = "INFO"
    trace_exporter: str = Field(default="none", pattern="^(none|otlp|console)$")

    @property
    def member(self) -> str | None:
        """The static name in consumer groups: `replica` if it was set, so that processes with defaults share work."""
        return self.replica if "replica" in self.model_fields_set else None
