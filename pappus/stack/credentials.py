"""Passwords of one stack, generated once and kept in its state folder."""

import base64
import json
import secrets
import uuid
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from pappus.stack.errors import StackError
from pappus.stack.files import write_private
from pappus.stack.folders import StateFolder
from pappus.stack.kafka_security import ADMIN
from pappus.stack.s3_policy import PREDICTOR_API, TRAINER_RECORDER
from shared.contract.access import JOBS, PRINCIPALS

PAGES, COMMAND = "labeler-ui", "pappus"
"""Who of the stack itself asks the predictor."""
RECORDER, READER = "recorder", "reader"
"""Who writes to MLflow, and who looks at it."""
SERVICES: tuple[str, ...] = PRINCIPALS
REPLICAS = "predictor_api"
"""The role of PostgreSQL with which replicas of the predictor read the answers they gave, and nothing else."""


def _password() -> str:
    return secrets.token_urlsafe(24)


def _cluster_id() -> str:
    """Return 22 characters, base64 of a random UUID; a leading dash would be read as an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def api_key() -> str:
    """Return a new key of a machine: 32 random bytes as text."""
    return f"pappus_{secrets.token_urlsafe(32)}"


class S3Key(BaseModel):
    """An S3 user: its access key is its name."""

    access_key: str
    secret_key: str = Field(default_factory=_password)


def _s3_keys() -> dict[str, S3Key]:
    return {name: S3Key(access_key=name) for name in ("root", "mlflow", *SERVICES, PREDICTOR_API, TRAINER_RECORDER)}


def _kafka_passwords() -> dict[str, str]:
    return {name: _password() for name in (ADMIN, JOBS, *SERVICES)}


def _database_passwords() -> dict[str, str]:
    return {name: _password() for name in ("postgres", "seeder", "mlflow", *SERVICES, REPLICAS)}


class Credentials(BaseModel):
    """The secrets of one stack. `postgres`, `s3` and `kafka` are keyed by user; the superusers are `postgres`, `root`
    and `admin`. Kafka asks for them if the stack is secured."""

    postgres: dict[str, str] = Field(default_factory=_database_passwords)
    s3: dict[str, S3Key] = Field(default_factory=_s3_keys)
    kafka: dict[str, str] = Field(default_factory=_kafka_passwords)
    users: dict[str, str] = Field(default_factory=lambda: {name: _password() for name in ("labeler", "operator")})
    predictor_keys: dict[str, str] = Field(default_factory=lambda: {name: api_key() for name in (PAGES, COMMAND)})
    mlflow: dict[str, str] = Field(default_factory=lambda: {name: _password() for name in (RECORDER, READER)})
    session_secret: str = Field(default_factory=lambda: secrets.token_urlsafe(48))
    callback_secret: str = Field(default_factory=lambda: secrets.token_urlsafe(48))
    grafana: str = Field(default_factory=_password)
    kafka_cluster: str = Field(default_factory=_cluster_id)

    @classmethod
    def parse(cls, text: bytes, file: Path) -> "Credentials":
        """Return what `file` holds. Raises StackError, without a word of what is in it."""
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            raise StackError(
                f"{file} is not a credentials.json that Pappus wrote, or is damaged. Restore it: the servers know the"
                " passwords in it and no others."
            ) from None

    @classmethod
    def load_or_create(cls, state: StateFolder) -> "Credentials":
        """Return the credentials of `state`; generate and save them the first time, with the users of the labeler, and
        later what an earlier release did not have."""
        if state.credentials.exists():
            text = state.credentials.read_bytes()
            known = cls.parse(text, state.credentials)
            known = known.model_copy(
                update={
                    "postgres": _database_passwords() | known.postgres,
                    "s3": _s3_keys() | known.s3,
                    "kafka": _kafka_passwords() | known.kafka,
                }
            )
            if known.model_dump() != json.loads(text):
                write_private(state.credentials, known.model_dump_json(indent=2) + "\n")
            return known
        made = cls()
        users = [{"name": name, "role": name, "password": password} for name, password in made.users.items()]
        write_private(state.users, json.dumps(users, indent=2) + "\n")
        write_private(state.credentials, made.model_dump_json(indent=2) + "\n")
        return made
