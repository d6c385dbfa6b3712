"""The services of Pappus as a table, and the environment of each."""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from pappus.stack.component import Component, Launch, Say
from pappus.stack.config import refuse_host
from pappus.stack.context import StackContext
from pappus.stack.credentials import PAGES, RECORDER, REPLICAS
from pappus.stack.errors import StackError
from pappus.stack.jaeger import trace_settings
from pappus.stack.ports import HOST
from pappus.stack.probes import http_ok
from pappus.stack.s3 import REGION
from pappus.stack.s3_policy import OBJECTS, PREDICTOR_API, TRAINER_RECORDER
from pappus.stack.settings import PREFIX, passed_on
from pappus.stack.settings import with_project as with_project
from pappus.stack.topics import TOPICS_STEP

KAFKA, DATABASE, OBJECTS_STORE, MLFLOW = "kafka", "database", "objects", "mlflow"
ANSWERS = "answers"
"""The table of answers, read with a role of its own; what uses it works without PostgreSQL."""
LOGINS, API_KEYS, APIS, PREDICTOR, CALLBACKS = "logins", "keys", "apis", "predictor", "callbacks"
SECRETS = frozenset(
    {
        "DATABASE_URL",
        "DATABASE_PASSWORD",
        "KAFKA_PASSWORD",
        "S3_ACCESS_KEY",
        "S3_SECRET_KEY",
        "SESSION_SECRET",
        "CALLBACK_SECRET",
        "OIDC_CLIENT_SECRET",
        "USERS_FILE",
        "API_KEYS_FILE",
        "PREDICTOR_KEY",
        "MLFLOW_PASSWORD",
    }
)
"""Settings that reach a service only as its `uses` say, never from the caller's environment."""
READY, LIVE = "/readyz", "/livez"
ALIVE_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Service:
    """`python -m module`, as the database role and S3 user `owner`; `s3_user`: as another S3 user.

    `port`, `grpc` and `health` are names of the port table; the first two are None for a process without such an API.
    `probe` is the path that answers 200 once it is ready: for a predictor the liveness path, because it starts without
    a model. `uses`: what it connects to, and so which addresses and secrets it gets.
    `reserved` ports belong to a server that it reads from: the demo's image server. `low_priority`: see Component.
    """

    name: str
    module: str
    owner: str
    health: str
    uses: frozenset[str]
    port: str | None = None
    grpc: str | None = None
    probe: str = READY
    probe_port: str | None = None
    reserved: tuple[str, ...] = ()
    low_priority: bool = False
    s3_user: str = ""


_LOG = frozenset({KAFKA})
_TABLES = _LOG | {DATABASE}
_IMAGES = _TABLES | {OBJECTS_STORE}
_LABELING = _IMAGES | {LOGINS, PREDICTOR}
_REPLICA = _LOG | {OBJECTS_STORE, API_KEYS, ANSWERS, CALLBACKS}

SERVICES: tuple[Service, ...] = (
    Service("ingestor", "services.ingestor", "ingestor", "ingestor", _IMAGES, reserved=("demo-images",)),
    Service("labeler-api", "services.labeler.api", "labeler", "labeler-api", _LABELING, port="labeler-api"),
    Service("trainer-fast", "services.trainer.fast_lane", "trainer", "trainer-fast", _IMAGES),
    Service("trainer-gate", "services.trainer.gate", "trainer", "trainer-gate", _IMAGES),
    Service("trainer-full", "services.trainer.full_lane", "trainer", "trainer-full", _IMAGES, low_priority=True),
    Service(
        *("trainer-trigger", "services.trainer.full_trigger", "trainer", "trainer-trigger"), _TABLES, low_priority=True
    ),
    Service(
        *("trainer-recorder", "services.trainer.recorder", "trainer", "trainer-recorder"),
        _IMAGES | {MLFLOW},
        low_priority=True,
        s3_user=TRAINER_RECORDER,
    ),
    Service(
        *("predictor-api-0", "services.predictor.api", "predictor", "predictor-api-0"),
        _REPLICA,
        port="predictor",
        grpc="predictor-grpc",
        probe=LIVE,
        s3_user=PREDICTOR_API,
    ),
    Service(
        *("predictor-api-1", "services.predictor.api", "predictor", "predictor-api-1"),
        _REPLICA,
        port="predictor",
        grpc="predictor-grpc",
        probe=LIVE,
        s3_user=PREDICTOR_API,
    ),
    Service("predictor-worker", "services.predictor.worker", "predictor", "predictor-worker", _IMAGES, probe=LIVE),
    Service(
        *("predictor-batches", "services.predictor.batches", "predictor", "predictor-batches"),
        _IMAGES | {CALLBACKS},
        probe=LIVE,
    ),
    Service(
        *("predictor-monitor", "services.predictor.monitor", "predictor", "predictor-monitor"),
        _IMAGES,
        low_priority=True,
    ),
    Service(
        *("labeler-ui", "services.labeler.ui", "labeler", "labeler-ui-health"),
        frozenset({APIS}),
        port="labeler-ui",
        probe="/_stcore/health",
        probe_port="labeler-ui",
    ),
)


def service_component(service: Service, context: StackContext) -> Component:
    """Return the component of one service. Topics, database and buckets exist before it; it migrates its own tables."""
    environment = service_environment(service, context)

    async def launch(_: Say) -> Launch:
        folder = context.state.working_folder(service.name)
        return Launch((sys.executable, "-m", service.module), with_project(environment), folder)

    address = context.url(service.probe_port or service.health)
    names = {service.health, *service.reserved, *(name for name in (service.port, service.grpc) if name)}
    return Component(
        name=service.name,
        group="services",
        launch=launch,
        probe=lambda: http_ok(f"{address}{service.probe}"),
        alive=lambda: http_ok(f"{context.url(service.health)}{LIVE}", ALIVE_TIMEOUT_SECONDS),
        needs=(TOPICS_STEP, "postgres", "s3"),
        ports={name: context.ports[name] for name in sorted(names)},
        address=address,
        config_hash=hashlib.sha256(json.dumps(environment, sort_keys=True).encode()).hexdigest(),
        low_priority=service.low_priority,
    )


def service_environment(service: Service, context: StackContext) -> dict[str, str]:
    """Return the environment of a service: defaults, then what it gets of the caller's, then the values of this stack.
    It has the secrets of what the service uses, and no others.

    Raises:
        StackError: PAPPUS_ALLOWED_HOSTS is not a list of hosts.
    """
    secrets = {PREFIX + name for name in SECRETS}
    caller = {name: value for name, value in passed_on(context.environment).items() if name not in secrets}
    traces = trace_settings(context) if context.config.observe else {}
    return {**_defaults(), **traces, **caller, **_generated(service, context)}


def replay_environment(owner: str, context: StackContext) -> dict[str, str]:
    """Return the environment of the replay of a service: that of one of its processes with its tables."""
    service = next(service for service in SERVICES if service.owner == owner and DATABASE in service.uses)
    return service_environment(service, context)


def exported_environment(name: str, context: StackContext) -> dict[str, str]:
    """Return the variables that a shell or a debugger has to set to run the service `name` beside the stack.

    Raises:
        StackError: there is no such service; the text lists the names.
    """
    service = next((service for service in SERVICES if service.name == name), None)
    if service is None:
        names = ", ".join(service.name for service in SERVICES)
        raise StackError(f"There is no service {name}. The services are: {names}.")
    traces = trace_settings(context) if context.config.observe else {}
    exported = _defaults().keys() | traces.keys() | _generated(service, context).keys()
    return {key: value for key, value in service_environment(service, context).items() if key in exported}


def _defaults() -> Mapping[str, str]:
    return {
        "PAPPUS_LABELS": '["dandelion", "grass"]',
        "PAPPUS_MODEL_NAME": "plants",
        "PYTHONUNBUFFERED": "1",
        # There are more processes than cores: more threads would only wait for each other.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def _generated(service: Service, context: StackContext) -> dict[str, str]:
    ports = context.ports
    values = {
        "REPLICA": service.name,
        "STATE_FOLDER": str(context.state.services / service.name),
        "HEALTH_PORT": str(ports[service.health]),
        "S3_BUCKET": OBJECTS,
    }
    for use in service.uses:
        values |= _addresses(use, service, context)
    if service.owner == "ingestor":  # no other service needs a restart when it changes
        values["ALLOWED_HOSTS"] = json.dumps(_allowed_hosts(context))
    if service.port:
        values["PORT"] = str(ports[service.port])
    if service.grpc:
        values["GRPC_PORT"] = str(ports[service.grpc])
    return {PREFIX + name: values[name] for name in sorted(values)}


def _addresses(use: str, service: Service, context: StackContext) -> dict[str, str]:
    """Return where a service that uses this finds it, and the secrets with which it does."""
    ports, credentials = context.ports, context.credentials
    match use:
        case "kafka":
            return {"KAFKA_BOOTSTRAP": f"{HOST}:{ports['kafka']}", **_kafka_login(service, context)}
        case "database" | "answers":
            role = REPLICAS if use == ANSWERS else service.owner
            plain = context.database_url(role).partition("?")[0]
            trusted = {"DATABASE_CA_FILE": str(context.state.authority)} if context.config.secure else {}
            return {"DATABASE_URL": plain, **trusted}
        case "objects":
            key = credentials.s3[service.s3_user or service.owner]
            names = {"S3_ENDPOINT": context.url("s3"), "S3_REGION": REGION}
            if context.config.secure:
                names["S3_CA_FILE"] = str(context.authority.certificate)
            return {**names, "S3_ACCESS_KEY": key.access_key, "S3_SECRET_KEY": key.secret_key}
        case "mlflow":
            names = {"MLFLOW_URL": context.url("mlflow"), "MLFLOW_USERNAME": RECORDER}
            return {**names, "MLFLOW_PASSWORD": credentials.mlflow[RECORDER]}
        case "logins":
            return {"SESSION_SECRET": credentials.session_secret, "USERS_FILE": str(context.state.users)}
        case "callbacks":
            return {"CALLBACK_SECRET": credentials.callback_secret}
        case "keys":
            return {"API_KEYS_FILE": str(context.state.api_keys)} if context.state.api_keys.exists() else {}
        case "predictor":
            return {"PREDICTOR_URL": context.url("predictor"), "PREDICTOR_KEY": credentials.predictor_keys[PAGES]}
        case _:
            addresses = {"PREDICTOR_URL": context.url("predictor"), "LABELER_URL": context.url("labeler-api")}
            links = {"MLFLOW_PUBLIC_URL": context.url("mlflow")}
            if context.config.observe:
                links["JAEGER_PUBLIC_URL"] = context.url("jaeger")
            return {**addresses, **links, "PREDICTOR_KEY": credentials.predictor_keys[PAGES]}


def _kafka_login(service: Service, context: StackContext) -> dict[str, str]:
    """Return how a service logs in, if the stack is secured."""
    if not context.config.secure:
        return {}
    return {
        "KAFKA_PROTOCOL": "SASL_SSL",
        "KAFKA_USERNAME": service.owner,
        "KAFKA_PASSWORD": context.credentials.kafka[service.owner],
        "KAFKA_CA_FILE": str(context.authority.certificate),
    }


def _allowed_hosts(context: StackContext) -> list[str]:
    """Return the hosts of the config and those of the caller's environment. Raises StackError for an invalid list."""
    text = context.environment.get("PAPPUS_ALLOWED_HOSTS", "[]")
    try:
        hosts = json.loads(text)
    except ValueError:
        hosts = None
    if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
        raise StackError(f'PAPPUS_ALLOWED_HOSTS is {text}: write a list, such as ["127.0.0.1:8000"].')
    for host in hosts:
        refuse_host(host)
    return sorted({*context.config.allowed_hosts, *context.config.lent_hosts, *hosts})
