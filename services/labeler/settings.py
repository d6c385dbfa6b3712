"""Settings of the labeler, from the environment (prefix PAPPUS_)."""

from pathlib import Path

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from services.labeler.decisions.votes import VoteRules
from services.labeler.provider_settings import SignOnSettings
from shared.runtime.settings import EnvironmentSettings, Settings, TraceSettings

SCHEMA = "labeler"
MIGRATIONS = "services.labeler.data.sql"
SOURCE = "pappus/labeler"
LIMIT_MEGABYTES = 19
"""The largest file the pages accept, in units of 1,048,576 bytes. It is below the defaults of labeler, ingestor and
predictor (20,000,000 bytes), and no setting changes it."""


class LabelerSettings(Settings, SignOnSettings):
    """Settings of the API, beyond the shared ones."""

    port: int = Field(default=28100, ge=0, le=65535, description="0 lets the system choose")
    http_hosts: tuple[str, ...] = Field(
        default=(), description="Public names under which it is asked; addresses and names without a dot need none"
    )
    http_proxies: tuple[str, ...] = Field(
        default=(), description="Addresses or networks of reverse proxies, whose X-Forwarded-For is believed"
    )
    session_secret: SecretStr = Field(min_length=32, description="Signs session tokens; the same for every replica")
    session_hours: float = Field(default=12.0, gt=0, description="How long a login lasts")
    login_failure_seconds: float = Field(
        default=1.0, ge=0, description="When a wrong login is answered, from its request; the same for all"
    )
    users_file: Path | None = Field(default=None, description="JSON [{name, role, password}]; None leaves the users")
    upload_limit_bytes: int = Field(default=20_000_000, ge=1, description="Larger uploads are refused with 413")
    first_images_per_label: int = Field(default=20, ge=1, description="The trainer's setting; answers mention it")
    outcome_timeout_seconds: float = Field(
        default=10.0, gt=0, description="How long a command waits before it answers 202"
    )
    predictor_url: str = Field(
        default="", pattern="^(https?://.*)?$", description="Where answers are asked for by their ids; empty: nowhere"
    )
    predictor_key: SecretStr = Field(default=SecretStr(""), description="where the predictor asks for an API key")
    webhook_hosts: tuple[str, ...] = Field(
        default=(), description="Hosts that events may be sent to although they are not public: host or host:port"
    )
    webhook_tries: int = Field(
        default=12, ge=1, description="After so many failures in a row a webhook is stopped until a person resumes it"
    )
    votes_needed: int = Field(
        default=1,
        ge=1,
        le=20,
        description="So many equal votes of reviewers make a label; 1: each label counts at once",
    )
    votes_at_most: int = Field(
        default=0, ge=0, le=50, description="So many people vote about an image at most; 0: one more than are needed"
    )
    votes_show_model: bool = Field(
        default=False, description="Whether Review shows the model's answer about an image that is voted about"
    )
    sweep_hours: float = Field(default=1.0, ge=0, description="How often settled uploads are deleted; 0: never")
    uploads_kept_hours: float = Field(
        default=24.0,
        ge=0.1,
        description="How long the bytes of an upload are kept after its image is stored or rejected",
    )
    publish_timeout_seconds: float = Field(
        default=10.0, gt=0, description="How long it waits for Kafka before it answers 503"
    )

    @field_validator("votes_at_most")
    @classmethod
    def _lets_votes_decide(cls, value: int, info: ValidationInfo) -> int:
        needed = info.data.get("votes_needed", 1)
        if 0 < value < needed:
            raise ValueError(f"{needed} equal votes of {value} people never come: set it to {needed} or more, or 0")
        return value

    @property
    def vote_rules(self) -> VoteRules:
        """How many equal votes a label needs."""
        if self.votes_needed == 1:
            return VoteRules()
        return VoteRules(self.votes_needed, self.votes_at_most or self.votes_needed + 1)


class UiSettings(EnvironmentSettings, TraceSettings):
    """Settings of the pages: their own address, and the two APIs they use."""

    host: str = "127.0.0.1"
    port: int = Field(default=28501, ge=1, le=65535)
    health_port: int = Field(default=0, ge=0, le=65535, description="0 lets the system choose")
    http_hosts: tuple[str, ...] = Field(
        default=(), description="Public names under which it is asked; addresses and names without a dot need none"
    )
    labeler_url: str = Field(pattern="^https?://")
    predictor_url: str = Field(pattern="^https?://")
    mlflow_public_url: str = Field(
        default="", pattern="^(https?://.*)?$", description="MLflow, as browsers reach it; empty: no link"
    )
    jaeger_public_url: str = Field(
        default="", pattern="^(https?://.*)?$", description="Jaeger, as browsers reach it; empty: no link"
    )
    predictor_key: SecretStr = Field(default=SecretStr(""), description="where the predictor asks for an API key")
