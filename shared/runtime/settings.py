"""Settings from the environment (prefix PAPPUS_), typed. Read here and in each service's settings.py only."""

from pathlib import Path
from typing import TypedDict

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class GroupSettings(TypedDict):
    """What handlers are told about their consumer group; see `shared.messaging.handler.run_handlers`."""

    member: str | None
    dead_letters_in_a_row: int


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
    dead_letters_in_a_row: int = Field(
        default=20, ge=1, description="more than so many in a row, and a handler stops: its code must be at fault"
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
    def in_groups(self) -> GroupSettings:
        """How this process takes part in consumer groups. Its static name is `replica` if that was set, so that
        processes with defaults share the work."""
        name = self.replica if "replica" in self.model_fields_set else None
        return {"member": name, "dead_letters_in_a_row": self.dead_letters_in_a_row}
