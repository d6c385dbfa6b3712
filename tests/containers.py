"""Kafka, PostgreSQL, S3 and MLflow as containers, for the same tests that run on the Docker-free stack.

They are set up with the files and policies that the stack uses: infra/postgres, `make_buckets`, passwords in the same
form. Every port is published on 127.0.0.1.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import docker  # type: ignore[import-untyped]
import docker.errors  # type: ignore[import-untyped]
import pytest
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from pappus.stack.buckets import make_buckets
from pappus.stack.credentials import READER, RECORDER, Credentials
from pappus.stack.errors import StackError
from pappus.stack.folders import INFRA
from pappus.stack.ports import HOST, free_ports
from pappus.stack.probes import http_ok, kafka_answers
from pappus.stack.s3 import REGION, iam_users
from pappus.stack.stack import Stack
from pappus.stack.testing import Servers
from shared.runtime.kafka_connection import KafkaConnection
from shared.testing import eventually
from tests.server_forms import ServerSettings

if TYPE_CHECKING:
    from docker.models.containers import Container  # type: ignore[import-untyped]

INSIDE = {"kafka": 29092, "postgres": 5432, "s3": 7070, "mlflow": 5000}
"""The port of each server in its container."""
START_SECONDS = 300
LOCAL_ONLY = "this test is about processes and files of the Docker-free stack, and the servers are containers"
OBJECT_STORE = f"""mkdir -p /data/versions /data/buckets
exec versitygw --keep-alive --quiet --region {REGION} --health /health --port :7070 --iam-dir /iam \\
  posix --versioning-dir /data/versions /data/buckets"""


class ContainerServers(Servers):
    """Servers in containers of one network, in which their names are those of compose.yaml."""

    def __init__(self, settings: ServerSettings, credentials: Credentials, ending: ExitStack) -> None:
        self.credentials = credentials
        self._settings = settings
        self._ending = ending
        self._ports = free_ports(INSIDE)
        self._network = ending.enter_context(Network())
        self._containers: dict[str, DockerContainer] = {}

    @property
    def stack(self) -> Stack:
        """Skip the test that asks: there is no stack."""
        pytest.skip(LOCAL_ONLY)

    @property
    def kafka_bootstrap(self) -> str:
        """Return host:port of the broker."""
        return f"{HOST}:{self._ports['kafka']}"

    @property
    def kafka(self) -> KafkaConnection:
        """Return the broker, which asks for no login."""
        return KafkaConnection(self.kafka_bootstrap)

    def kafka_as(self, user: str) -> KafkaConnection:
        """Return the broker, which asks for no login."""
        return self.kafka

    @property
    def s3_endpoint(self) -> str:
        """Return the URL of the object store."""
        return f"http://{HOST}:{self._ports['s3']}"

    @property
    def mlflow_url(self) -> str:
        """Return the URL of MLflow. Raises StackError if it was not started."""
        if "mlflow" not in self._containers:
            raise StackError("MLflow was not started.")
        return f"http://{HOST}:{self._ports['mlflow']}"

    def database_url(self, role: str, database: str = "pappus") -> str:
        """Return the DSN with which `role` connects."""
        return f"postgresql://{role}:{self.credentials.postgres[role]}@{HOST}:{self._ports['postgres']}/{database}"

    def with_mlflow(self) -> "ContainerServers":
        """Start MLflow beside the others, if it does not run, and return all of them."""
        if "mlflow" not in self._containers:
            self._start_mlflow()
        return self

    def pause(self, name: str) -> None:
        """Freeze all processes of the container."""
        self._container(name).pause()

    def paused(self, name: str) -> bool:
        """Return whether the engine says that the container is frozen."""
        container = self._container(name)
        container.reload()
        return bool(container.attrs["State"]["Paused"])

    def resume(self, name: str) -> None:
        """Let the processes go on."""
        self._container(name).unpause()

    def kill(self, name: str) -> None:
        """Kill the container's processes, and start it again with what it had written."""
        container = self._container(name)
        container.kill()
        container.wait()
        container.start()

    def start_of(self, name: str) -> str | None:
        """Return when the container was last started; None while it does not run."""
        container = self._container(name)
        container.reload()
        state = container.attrs["State"]
        return str(state["StartedAt"]) if state["Running"] else None

    def start(self) -> None:
        """Start all but MLflow, and set them up."""
        self._start("kafka", self._settings.image_kafka, _kafka_environment(self._ports["kafka"]))
        self._start(
            "postgres",
            self._settings.image_postgres,
            {"POSTGRES_PASSWORD_FILE": "/run/password", "POSTGRES_INITDB_ARGS": "--auth-host=scram-sha-256"},
            command=["postgres", "-c", "max_connections=450", "-c", "shared_buffers=64MB"],
            files={"/run/password": self.credentials.postgres["postgres"]},
            shm_size="256m",
        )
        root = self.credentials.s3["root"]
        self._start(
            "s3",
            self._settings.image_s3,
            {"ROOT_ACCESS_KEY": root.access_key, "ROOT_SECRET_KEY": root.secret_key},
            entrypoint=["/bin/sh", "-ec", OBJECT_STORE],
            user="0:0",  # the folders are the container's own
            files={"/iam/users.json": iam_users(self.credentials)},
        )
        asyncio.run(self._set_up())

    async def _set_up(self) -> None:
        await eventually(lambda: kafka_answers(HOST, self._ports["kafka"]), START_SECONDS)
        await eventually(lambda: asyncio.to_thread(self._psql, "-c", "SELECT 1"), START_SECONDS)
        for file in sorted((INFRA / "postgres").glob("*.sql")):
            await asyncio.to_thread(self._containers["postgres"].copy_into_container, file, f"/tmp/{file.name}")
            assert await asyncio.to_thread(self._psql, "-f", f"/tmp/{file.name}"), file.name
        await eventually(lambda: http_ok(f"{self.s3_endpoint}/health"), START_SECONDS)
        await asyncio.to_thread(make_buckets, self.s3_endpoint, REGION, self.credentials.s3["root"])

    def _psql(self, *what: str) -> bool:
        """Run psql in the container as the superuser; return whether it succeeded."""
        passwords = {f"PAPPUS_{name.upper()}_PASSWORD": each for name, each in self.credentials.postgres.items()}
        where = ["-h", HOST, "-U", "postgres", "-d", "postgres"]
        environment = {**passwords, "PGPASSWORD": self.credentials.postgres["postgres"]}
        done = self._container("postgres").exec_run(["psql", "-X", "-q", *where, *what], environment=environment)
        return bool(done.exit_code == 0)

    def _start_mlflow(self) -> None:
        key = self.credentials.s3["mlflow"]
        secrets = {
            "pappus_database_password": self.credentials.postgres["mlflow"],
            "pappus_s3_access_key": key.access_key,
            "pappus_s3_secret_key": key.secret_key,
            "pappus_mlflow_password": self.credentials.mlflow[RECORDER],
            "pappus_mlflow_reader_password": self.credentials.mlflow[READER],
        }
        self._start(
            "mlflow",
            self._settings.image_mlflow,
            {
                "PAPPUS_SECRETS_FOLDER": "/run/secrets",
                "PAPPUS_DATABASE_URL": "postgresql://mlflow@postgres:5432/mlflow",
                "PAPPUS_S3_ENDPOINT": "http://s3:7070",
                "MLFLOW_SERVER_ALLOWED_HOSTS": "localhost:*,127.0.0.1:*",
            },
            files={f"/run/secrets/{name}": secret for name, secret in secrets.items()},
        )
        asyncio.run(eventually(lambda: http_ok(f"{self.mlflow_url}/health"), START_SECONDS))

    def _start(
        self,
        name: str,
        image: str,
        environment: dict[str, str],
        *,
        files: Mapping[str, str] = MappingProxyType({}),
        command: list[str] | None = None,
        **options: Any,
    ) -> None:
        container = DockerContainer(image, env=environment, network=self._network, network_aliases=[name], **options)
        if command:
            container.with_command(command)
        container.ports = {INSIDE[name]: (HOST, self._ports[name])}  # type: ignore[dict-item]
        for place, text in files.items():
            container.with_copy_into_container(text.encode(), place, 0o644)
        self._ending.callback(container.stop)
        self._containers[name] = container.start()

    def _container(self, name: str) -> "Container":
        return self._containers[name].get_wrapped_container()


@contextmanager
def container_servers(settings: ServerSettings) -> Iterator[ContainerServers]:
    """Start the containers, and remove them with what they wrote at the end. Ends the tests with one sentence where
    there is no engine or no image."""
    testcontainers_config.ryuk_disabled = True  # it is an image more; containers are removed here
    lack = missing(settings)
    if lack is not None:
        pytest.exit(lack, returncode=1)
    with ExitStack() as ending:
        servers = ContainerServers(settings, Credentials(), ending)
        servers.start()
        yield servers


def missing(settings: ServerSettings) -> str | None:
    """Return one sentence that says what the containers lack on this machine; None if they can start."""
    images = [settings.image_kafka, settings.image_postgres, settings.image_s3]
    try:
        with closing(docker.from_env()) as engine:
            for image in images:
                try:
                    engine.images.get(image)
                except docker.errors.ImageNotFound:
                    engine.images.pull(image)
    except docker.errors.APIError as error:
        setting = next((name for name, value in settings if value == image), "image")
        return (
            f"The image {image} is not on this machine and cannot be pulled ({error.explanation}): name another one in "
            f"PAPPUS_TEST_{setting.upper()}, such as the stand-in that compose.offline.yaml builds."
        )
    except docker.errors.DockerException as error:
        return f"No Docker engine answers: start one, or say in DOCKER_HOST where it is ({error})."
    return None


def _kafka_environment(port: int) -> dict[str, str]:
    """Return the settings of one broker, as the image apache/kafka takes them."""
    return {
        "CLUSTER_ID": "cGFwcHVzLXRlc3QtY2x1c3",
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_LISTENERS": "INSIDE://:9092,CONTROLLER://:9093,HOST://:29092",
        "KAFKA_ADVERTISED_LISTENERS": f"INSIDE://kafka:9092,HOST://{HOST}:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "INSIDE:PLAINTEXT,HOST:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "INSIDE",
        "KAFKA_LOG_DIRS": "/var/lib/kafka/data",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "4",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "KAFKA_OFFSETS_RETENTION_MINUTES": "5256000",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_BROKER_SESSION_TIMEOUT_MS": "3000",
        "KAFKA_BROKER_HEARTBEAT_INTERVAL_MS": "500",
        "KAFKA_HEAP_OPTS": "-Xms128m -Xmx512m",
    }
