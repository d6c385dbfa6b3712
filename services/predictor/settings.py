"""Settings of the predictor, from the environment (prefix PAPPUS_)."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from shared.runtime.settings import Settings
from shared.web.fetchable import AllowedHosts

SOURCE = "pappus/predictor"
"""The CloudEvents source of what replicas and worker publish."""
CALLBACK_HOSTS = "PAPPUS_CALLBACK_HOSTS"


class PredictorSettings(Settings):
    """The settings of the replicas and the worker.

    All replicas of a machine share `port` and `grpc_port`; `health_port` belongs to one replica.
    """

    port: int = Field(default=28000, ge=0, le=65535, description="Shared by all replicas (SO_REUSEPORT)")
    grpc_port: int = Field(default=0, ge=0, le=65535, description="Shared like `port`; 0: no gRPC")
    http_hosts: tuple[str, ...] = Field(
        default=(), description="Public names under which it is asked; addresses and names without a dot need none"
    )
    api_keys_file: Path | None = Field(
        default=None, description="JSON [{name, sha256, per_minute}]: who may ask; None: all who reach it"
    )
    upload_limit_bytes: int = Field(default=20_000_000, ge=1, description="Larger images are refused with 413")
    batch_limit_bytes: int = Field(
        default=100_000_000, ge=1, le=200_000_000, description="Of all files that one request for a batch brings"
    )
    in_flight_limit: int = Field(default=64, ge=1, description="Of large pictures at once; further ones are 503")
    longest_wait_seconds: float = Field(
        default=0.25, gt=0, description="A request that waited longer for its turn is refused with 503"
    )
    prediction_queue_events: int = Field(default=10_000, ge=1, description="Answers that wait for Kafka at most")
    logged_share: float = Field(
        default=1.0, ge=0, le=1, description="Of the answers, that get a line and an event; the others are counted"
    )
    kafka_wait_seconds: float = Field(
        default=3.0, ge=0, description="How long a start waits for Kafka before the last good model from disk serves"
    )
    load_timeout_seconds: float = Field(default=120.0, gt=0, description="For one download, session and self-check")
    loaded_every_seconds: float = Field(default=10.0, gt=0, description="Between two repetitions of model.loaded")
    trace_answers_ratio: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="share of the answers that are traced; those to a traced caller always are",
    )
    rescoring_share: float = Field(
        default=0.25, gt=0, le=1, description="Of the worker's time, for scoring stored images again"
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="host or host:port that may be fetched although its address is not public"
    )
    callback_secret: SecretStr = Field(
        default=SecretStr(""), description="Signs callbacks, with a key for each client; without it there are none"
    )
    callback_hosts: tuple[str, ...] = Field(
        default=(), description="Hosts that may be told although they are not public: host or host:port"
    )
    callback_tries: int = Field(default=12, ge=1, description="After so many failures a callback is given up")
    prediction_days: int = Field(default=14, ge=1, description="How long the worker's table keeps predictions")

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        AllowedHosts.parse(entries)
        return entries

    @property
    def artefact_folder(self) -> Path:
        """The folder of the last good artefacts of this process."""
        return self.state_folder / "artefacts"
