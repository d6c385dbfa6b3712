"""The servers of the tests, in the form that PAPPUS_TEST_SERVERS names: `local` (processes) or `containers`."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from pappus.stack import Servers
from pappus.stack.testing import servers_in


class ServerSettings(BaseSettings):
    """Images are those of compose.yaml; where no registry is reached, name the stand-ins of compose.offline.yaml."""

    model_config = SettingsConfigDict(env_prefix="PAPPUS_TEST_", frozen=True, extra="ignore")

    servers: Literal["local", "containers"] = Field(default="local", description="What the tests run on")
    image_kafka: str = "apache/kafka:4.3.1"
    image_postgres: str = "pgvector/pgvector:0.8.6-pg18-trixie"
    image_s3: str = "versity/versitygw:v1.8.0"
    image_mlflow: str = "pappus/mlflow:dev"


@contextmanager
def start_servers() -> Iterator[Servers]:
    """Start Kafka, PostgreSQL with roles and schemas, and S3 with buckets and policies; delete them afterwards."""
    settings = ServerSettings()
    with tempfile.TemporaryDirectory(prefix="pappus-tests-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL's own user has to pass when the tests run as root
        if settings.servers == "local":
            with servers_in(Path(folder) / "state", ("kafka", "postgres", "s3")) as local:
                yield local
            return
        from tests.containers import container_servers  # its library is only needed in this form

        with container_servers(settings) as contained:
            yield contained
