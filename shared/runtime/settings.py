"""Settings from the environment (prefix PAPPUS_), typed. Read here and in each service's settings.py only."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypedDict

from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from shared.runtime.errors import PappusError
from shared.runtime.text import check_labels, check_model_name

PREFIX = "PAPPUS_"
Labels = Annotated[tuple[str, ...], AfterValidator(check_labels)]
ModelName = Annotated[str, AfterValidator(check_model_name)]


class InvalidSettings(PappusError):
    """A setting has a value that cannot be used; the text names it."""


class EnvironmentSettings(BaseSettings):
    """Settings whose faults are told in one sentence each."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", protected_namespaces=())

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InvalidSettings(_sentences(error)) from None
        except SettingsError as error:
            raise InvalidSettings(f'{error}. Write it as JSON, such as ["a", "b"].') from None


class Installation(BaseModel, protected_namespaces=()):
    """What all processes of an installation have to agree on."""

    labels: Labels = ("dandelion", "grass")
    model_name: ModelName = "plants"
    log_level: str = Field(default="INFO", pattern="(?i)^(debug|info|warning|error|critical)$")
    trace_exporter: str = Field(default="none", pattern="^(none|otlp|console)$")


class GroupSettings(TypedDict):
    """What handlers are told about their consumer group; see `shared.messaging.handler.run_handlers`."""

    member: str | None
    dead_letters_in_a_row: int


class Settings(EnvironmentSettings, Installation):
    """What every process needs. A service adds its own fields in its `settings.py`."""

    kafka_bootstrap: str = Field(default="127.0.0.1:29092", min_length=1)
    database_url: SecretStr = SecretStr("")
    s3_endpoint: str = Field(default="http://127.0.0.1:29000", pattern="^https?://")
    s3_region: str = "us-east-1"
    s3_bucket: str = Field(default="pappus", min_length=1)
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
        default="local",
        pattern=r"^[A-Za-z0-9._-]{1,200}$",
        description="the name of this process; once it is set, no other process may have it",
    )
    state_folder: Path = Path(".pappus/services/local")

    @property
    def in_groups(self) -> GroupSettings:
        """How this process takes part in consumer groups. Its static name is `replica` if that was set, so that
        processes with defaults share the work."""
        name = self.replica if "replica" in self.model_fields_set else None
        return {"member": name, "dead_letters_in_a_row": self.dead_letters_in_a_row}


def check_installation(environment: Mapping[str, str]) -> Installation:
    """Return what the variables of an environment say of the installation.

    Raises:
        InvalidSettings: a value cannot be used.
    """
    values: dict[str, Any] = {
        field: text
        for field in Installation.model_fields
        if (text := environment.get(PREFIX + field.upper())) is not None
    }
    if "labels" in values:
        try:
            values["labels"] = json.loads(values["labels"])
        except ValueError:
            text = values["labels"]
            raise InvalidSettings(f'PAPPUS_LABELS is {text!r}: write JSON, such as ["dandelion", "grass"].') from None
    try:
        return Installation.model_validate(values)
    except ValidationError as error:
        raise InvalidSettings(_sentences(error)) from None


def _sentences(error: ValidationError) -> str:
    """Return one sentence for each field; the values of secrets are not in it."""
    return " ".join(
        f"{PREFIX}{'.'.join(str(part) for part in each['loc']).upper()} cannot be used:"
        f" {each['msg'].removeprefix('Value error, ')}. Correct it and start again."
        for each in error.errors(include_input=False, include_url=False)
    )
