"""Settings from the environment (prefix PAPPUS_), typed. Read here and in each service's settings.py only."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypedDict
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from shared.runtime.certificates import trust
from shared.runtime.errors import InvalidSettings as InvalidSettings
from shared.runtime.kafka_connection import KafkaConnection, KafkaProtocol
from shared.runtime.text import check_labels, check_model_name
from shared.runtime.writable_folder import check_writable

PREFIX = "PAPPUS_"
SECRETS_FOLDER = "PAPPUS_SECRETS_FOLDER"
"""Names a folder of files; each is called after a setting, such as pappus_s3_secret_key, and holds its value."""
DATABASE_EXAMPLE = "postgresql://ingestor@postgres:5432/pappus"
Labels = Annotated[tuple[str, ...], AfterValidator(check_labels)]
ModelName = Annotated[str, AfterValidator(check_model_name)]


class EnvironmentSettings(BaseSettings):
    """Settings whose faults are told in one sentence each."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", protected_namespaces=())

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**_secrets(), **values)
        except ValidationError as error:
            raise InvalidSettings(_sentences(error)) from None
        except SettingsError as error:
            raise InvalidSettings(f'{error}. Write it as JSON, such as ["a", "b"].') from None


class TraceSettings(BaseModel):
    """Which traces are recorded, and where their spans go."""

    trace_exporter: str = Field(
        default="none",
        pattern="^(none|otlp|console)$",
        description="otlp: where the standard OTEL_EXPORTER_OTLP_* variables say",
    )
    trace_ratio: float = Field(
        default=1.0, ge=0, le=1, description="share of the traces that begin in this process and are recorded"
    )


class Installation(TraceSettings, protected_namespaces=()):
    """What all processes of an installation have to agree on."""

    labels: Labels = ("dandelion", "grass")
    model_name: ModelName = "plants"
    log_level: str = Field(default="INFO", pattern="(?i)^(debug|info|warning|error|critical)$")


class GroupSettings(TypedDict):
    """What handlers are told about their consumer group; see `shared.messaging.handler.run_handlers`."""

    member: str | None
    dead_letters_in_a_row: int


class Settings(EnvironmentSettings, Installation):
    """What every process needs. A service adds its own fields in its `settings.py`."""

    host: str = Field(default="127.0.0.1", min_length=1, description="address that its HTTP servers listen on")
    kafka_bootstrap: str = Field(default="", description="host:port of a broker, or of several")
    kafka_protocol: KafkaProtocol = "PLAINTEXT"
    kafka_username: str = Field(default="", description="with SASL: the name, for SCRAM-SHA-512")
    kafka_password: SecretStr = SecretStr("")
    kafka_ca_file: Path | None = Field(default=None, description="with SSL: who signs for the broker; None: the system")
    kafka_replication_factor: int = Field(default=1, ge=1, le=100, description="on how many brokers topics are kept")
    kafka_min_insync_replicas: int = Field(
        default=1, ge=1, le=100, description="how many of them must have an event before it counts as published"
    )
    database_url: SecretStr = Field(default=SecretStr(""), description="may hold the password, and sslmode")
    database_password: SecretStr = Field(default=SecretStr(""), description="instead of one in database_url")
    database_ca_file: Path | None = Field(default=None, description="who signs for PostgreSQL: it must prove its name")
    s3_ca_file: Path | None = Field(default=None, description="who signs for the object store; None: the system")
    s3_endpoint: str = Field(default="", pattern="^(https?://.*)?$")
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
    def kafka(self) -> KafkaConnection:
        """Where Kafka is, and the login for it. Raises InvalidSettings."""
        return KafkaConnection(
            bootstrap=_required(self.kafka_bootstrap, "PAPPUS_KAFKA_BOOTSTRAP", "kafka:9092"),
            protocol=self.kafka_protocol,
            username=self.kafka_username,
            password=self.kafka_password.get_secret_value(),
            ca_file=self.kafka_ca_file,
        )

    @property
    def database_dsn(self) -> str:
        """Where PostgreSQL is, with the password and with what to ask of its certificate. Raises InvalidSettings."""
        given = _required(self.database_url.get_secret_value(), "PAPPUS_DATABASE_URL", DATABASE_EXAMPLE)
        url = urlsplit(given)
        query = dict(parse_qsl(url.query))
        if password := self.database_password.get_secret_value():
            login, _, place = url.netloc.rpartition("@")
            url = url._replace(netloc=f"{login.partition(':')[0]}:{quote(password, safe='')}@{place}")
        if self.database_ca_file is not None:
            trust(self.database_ca_file, "PAPPUS_DATABASE_CA_FILE")
            query = {"sslmode": "verify-full", **query, "sslrootcert": str(self.database_ca_file)}
        return url._replace(query=urlencode(query)).geturl()

    @property
    def store_endpoint(self) -> str:
        """Where the object store is. Raises InvalidSettings."""
        return _required(self.s3_endpoint, "PAPPUS_S3_ENDPOINT", "http://s3:7070")

    @property
    def writable_folder(self) -> Path:
        """The folder of this process, in which it can write now. Raises InvalidSettings."""
        return check_writable(self.state_folder, "PAPPUS_STATE_FOLDER")

    @property
    def in_groups(self) -> GroupSettings:
        """How this process takes part in consumer groups. Its static name is `replica` if that was set, so that
        processes with defaults share the work."""
        name = self.replica if "replica" in self.model_fields_set else None
        return {"member": name, "dead_letters_in_a_row": self.dead_letters_in_a_row}


def _required(value: str, name: str, example: str) -> str:
    """Return the value of a setting without a default. Raises InvalidSettings if it is empty."""
    if not value:
        raise InvalidSettings(f"{name} is not set: say where it is, such as {example}, and start again.")
    return value


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


def _secrets() -> dict[str, Any]:
    """Return where the files of secrets are. Raises InvalidSettings."""
    folder = os.environ.get(SECRETS_FOLDER)
    if not folder:
        return {}
    try:
        for file in Path(folder).iterdir():
            if file.is_file():
                file.open("rb").close()
    except OSError as error:
        raise InvalidSettings(
            f"{SECRETS_FOLDER} is {folder}, which cannot be read ({error.filename}: {error.strerror}). Mount the"
            " secrets there, readable by the user of this process."
        ) from None
    return {"_secrets_dir": folder}


def _sentences(error: ValidationError) -> str:
    """Return one sentence for each field; the values of secrets are not in it."""
    return " ".join(
        f"{PREFIX}{'.'.join(str(part) for part in each['loc']).upper()} cannot be used:"
        f" {each['msg'].removeprefix('Value error, ')}. Correct it and start again."
        for each in error.errors(include_input=False, include_url=False)
    )
