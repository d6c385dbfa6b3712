"""Pappus' own processes, as a table, and the environment each of them gets."""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from pappus.stack.config import refuse_host
from pappus.stack.context import StackContext
from pappus.stack.errors import StackError
from pappus.stack.part import Launch, Part, Say
from pappus.stack.ports import HOST
from pappus.stack.probes import http_ok
from pappus.stack.s3 import REGION
from pappus.stack.s3_policy import OBJECTS
from pappus.stack.topics import TOPICS_STEP

SETTINGS_PREFIX = "PAPPUS_"
READY, LIVE = "/readyz", "/livez"


@dataclass(frozen=True, slots=True)
class Service:
    """`python -m module`, as the database role and S3 user `owner`.

    `port` and `health` are names of the port table; `port` is None for a process without an API. `probe` is the path
    that says it is ready: a predictor is, in this sense, ready without a model, so it is asked whether it lives.
    `reserved` ports are not its own, but kept for what it reads from: the demo's image server. `gives_way`: see Part.
    """

    name: str
    module: str
    owner: str
    health: str
    port: str | None = None
    probe: str = READY
    probe_port: str | None = None
    reserved: tuple[str, ...] = ()
    gives_way: bool = False


SERVICES: tuple[Service, ...] = (
    Service("ingestor", "services.ingestor", "ingestor", "ingestor", reserved=("demo-images",)),
    Service("labeler-api", "services.labeler.api", "labeler", "labeler-api", port="labeler-api"),
    Service("trainer-fast", "services.trainer.fast_lane", "trainer", "trainer-fast"),
    Service("trainer-gate", "services.trainer.gate", "trainer", "trainer-gate"),
    Service("trainer-full", "services.trainer.full_lane", "trainer", "trainer-full", gives_way=True),
    Service("trainer-trigger", "services.trainer.full_trigger", "trainer", "trainer-trigger"),
    Service("trainer-recorder", "services.trainer.recorder", "trainer", "trainer-recorder", gives_way=True),
    Service("predictor-api-0", "services.predictor.api", "predictor", "predictor-api-0", port="predictor", probe=LIVE),
    Service("predictor-api-1", "services.predictor.api", "predictor", "predictor-api-1", port="predictor", probe=LIVE),
    Service("predictor-worker", "services.predictor.worker", "predictor", "predictor-worker", probe=LIVE),
    Service(
        "labeler-ui",
        "services.labeler.ui",
        "labeler",
        "labeler-ui-health",
        port="labeler-ui",
        probe="/_stcore/health",
        probe_port="labeler-ui",
    ),
)


def service_part(service: Service, context: StackContext) -> Part:
    """One service. It runs its own migrations when it starts; topics, database and buckets are there before."""
    environment = service_environment(service, context)
    scratch = context.state.services / service.name

    async def launch(_: Say) -> Launch:
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Launch((sys.executable, "-m", service.module), environment)

    address = context.url(service.probe_port or service.health)
    names = {service.health, *service.reserved, *([service.port] if service.port else [])}
    return Part(
        name=service.name,
        group="services",
        launch=launch,
        probe=lambda: http_ok(f"{address}{service.probe}"),
        needs=(TOPICS_STEP, "postgres", "s3"),
        ports={name: context.ports[name] for name in sorted(names)},
        address=address,
        edition=hashlib.sha256(json.dumps(environment, sort_keys=True).encode()).hexdigest(),
        gives_way=service.gives_way,
    )


def service_environment(service: Service, context: StackContext) -> dict[str, str]:
    """Defaults, then the caller's own environment, then what only this stack can know. Raises StackError."""
    return {**_defaults(), **context.environment, **_generated(service, context)}


def _defaults() -> Mapping[str, str]:
    return {
        "PAPPUS_LABELS": '["dandelion", "grass"]',
        "PAPPUS_MODEL_NAME": "plants",
        "PYTHONUNBUFFERED": "1",
        # One process a core or less: more threads than that only wait for each other.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def _generated(service: Service, context: StackContext) -> dict[str, str]:
    ports, credentials = context.ports, context.credentials
    key, password = credentials.s3[service.owner], credentials.postgres[service.owner]
    values = {
        "KAFKA_BOOTSTRAP": f"{HOST}:{ports['kafka']}",
        "DATABASE_URL": f"postgresql://{service.owner}:{password}@{HOST}:{ports['postgres']}/pappus",
        "S3_ENDPOINT": context.url("s3"),
        "S3_REGION": REGION,
        "S3_BUCKET": OBJECTS,
        "S3_ACCESS_KEY": key.access_key,
        "S3_SECRET_KEY": key.secret_key,
        "MLFLOW_URL": context.url("mlflow"),
        "PREDICTOR_URL": context.url("predictor"),
        "LABELER_URL": context.url("labeler-api"),
        "REPLICA": service.name,
        "STATE_FOLDER": str(context.state.services / service.name),
        "HEALTH_PORT": str(ports[service.health]),
    }
    if service.owner == "ingestor":  # nobody else needs a restart when it changes
        values["ALLOWED_HOSTS"] = json.dumps(_allowed_hosts(context))
    if service.port:
        values["PORT"] = str(ports[service.port])
    if service.owner == "labeler":
        values |= {"SESSION_SECRET": credentials.session_secret, "USERS_FILE": str(context.state.users)}
    return {SETTINGS_PREFIX + name: value for name, value in values.items()}


def _allowed_hosts(context: StackContext) -> list[str]:
    """Those that were remembered and those of the caller's environment."""
    text = context.environment.get("PAPPUS_ALLOWED_HOSTS", "[]")
    try:
        hosts = json.loads(text)
    except ValueError:
        hosts = None
    if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
        raise StackError(f'PAPPUS_ALLOWED_HOSTS is {text}: write a list, such as ["127.0.0.1:8000"].')
    for host in hosts:
        refuse_host(host)
    return sorted({*context.config.allowed_hosts, *hosts})
