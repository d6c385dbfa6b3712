"""What this machine lacks to run the stack, and how to install it."""

import asyncio
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pappus.stack import jaeger, kafka, postgres, prometheus, s3
from pappus.stack.cache import Cache
from pappus.stack.config import StackConfig
from pappus.stack.errors import StackError
from pappus.stack.folders import INFRA
from pappus.stack.ports import busy_port, resolve_ports
from pappus.stack.settings import PREFIX, passed_on, port_overrides, with_project
from pappus.stack.stack import Stack
from pappus.stack.toolchain import GO, JAVA, Tool, installer
from pappus.stack.unprivileged import unprivileged_account

SPACE_BYTES = 3 * 1024**3
PROVIDER_SECONDS = 60.0
PYTHONS = ((3, 11), (3, 12))
EXTRAS = 'pip install -e ".[cli,ingestor,labeler,trainer,predictor]"'


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `found`: the state of the machine, in words. `remedy`: what to do if it is not `fine`."""

    name: str
    fine: bool
    found: str
    remedy: str = ""


def examine(stack: Stack, environment: Mapping[str, str]) -> list[Check]:
    """Return every check, in the order in which a user resolves failed ones."""
    cache = Cache(stack.cache)
    return [
        _python(),
        *_packages(),
        _folder(INFRA / "local", "the project's own files"),
        _program(JAVA, cache, environment),
        _once("Kafka's jars", kafka.jars_name(), cache, "fetches them, 57 MB"),
        *_s3(cache, environment),
        _prometheus(stack, environment),
        _once("Jaeger", jaeger.NAME, cache, "with --observe builds it, 2 to 6 minutes"),
        _account(),
        _space(stack.cache),
        _space(stack.state.root),
        *_ports(stack, environment),
        *_provider(environment),
    ]


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("Python", sys.version_info[:2] in PYTHONS, version, "use Python 3.11 or 3.12")


def _packages() -> Iterator[Check]:
    needed = {
        postgres.PACKAGE: postgres.REMEDY,
        "cramjam": EXTRAS,  # without it aiokafka reads gzip only
        "jgo": EXTRAS,
        "mlflow": EXTRAS,
        "streamlit": EXTRAS,
        "torch": EXTRAS,
        "onnxruntime": EXTRAS,
    }
    for name, remedy in needed.items():
        there = importlib.util.find_spec(name) is not None
        yield Check(f"package {name}", there, "installed" if there else "not installed", remedy)


def _folder(folder: Path, name: str) -> Check:
    return Check(name, folder.is_dir(), str(folder), "run pappus from a checkout of the project: pip install -e .")


def _program(tool: Tool, cache: Cache, environment: Mapping[str, str]) -> Check:
    name = tool.name.title()
    found = asyncio.run(tool.find(environment))
    if found:
        return Check(name, True, f"{found.path}: {found.version.splitlines()[0]}")
    if cache.holds(tool.cached):
        return Check(name, True, f"{tool.cached} in {cache.root}")
    try:
        installer()
    except StackError as error:
        return Check(name, False, "none that is new enough, and nothing to fetch it with", str(error))
    return Check(name, True, f"none that is new enough: the first start fetches {tool.pin}, {tool.fetch_mb} MB")


def _once(name: str, cached: str, cache: Cache, otherwise: str) -> Check:
    return Check(name, True, f"{cached} in {cache.root}" if cache.holds(cached) else f"the first start {otherwise}")


def _s3(cache: Cache, environment: Mapping[str, str]) -> Iterator[Check]:
    if not cache.holds(s3.NAME):
        yield _program(GO, cache, environment)
    yield _once("S3 server", s3.NAME, cache, "builds it")


def _prometheus(stack: Stack, environment: Mapping[str, str]) -> Check:
    """Without it the stack runs, unless it is to be observed."""
    name = "Prometheus"
    try:
        return Check(name, True, str(prometheus.find_prometheus(environment)))
    except StackError:
        found = f"none: pappus up --observe needs it. {prometheus.REMEDY}"
    try:
        wanted = StackConfig.load(stack.state).observe
    except StackError:
        wanted = False
    return Check(name, not wanted, found, prometheus.REMEDY)


def _account() -> Check:
    try:
        account = unprivileged_account()
    except StackError as error:
        return Check("PostgreSQL's user", False, "root, and there is no other user to run as", str(error))
    return Check("PostgreSQL's user", True, f"drops from root to {account.name}" if account else "runs as you")


def _space(folder: Path) -> Check:
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    found = f"{free / 1024**3:.1f} GiB free for {folder}"
    return Check(
        "disk space",
        free >= SPACE_BYTES,
        found,
        f"make {SPACE_BYTES // 1024**3} GiB free, or set PAPPUS_STATE and PAPPUS_CACHE",
    )


def _provider(environment: Mapping[str, str]) -> Iterator[Check]:
    """Ask the labeler whether people can log in with the provider of its settings, if there are any."""
    given = passed_on(environment)
    if not any(name.startswith(("PAPPUS_OIDC_", "PAPPUS_PASSWORD_LOGIN")) for name in given):
        return
    secret = f"{PREFIX}OIDC_CLIENT_SECRET"  # no secret of the caller's shell reaches a service: it is in a file
    command = [sys.executable, "-m", "services.labeler.check_provider"]
    asked = subprocess.run(  # noqa: S603 - a module of ours
        command,
        env=with_project({name: value for name, value in given.items() if name != secret}),
        capture_output=True,
        text=True,
        timeout=PROVIDER_SECONDS,
        check=False,
    )
    said = (asked.stdout or asked.stderr).strip().splitlines()
    found, _, remedy = (said[-1] if said else "the check said nothing").partition(": ")
    fine = asked.returncode == 0
    yield Check("logins with a provider", fine, found if not fine else said[-1], remedy or "see docs/operations.md")


def _ports(stack: Stack, environment: Mapping[str, str]) -> Iterator[Check]:
    if stack.status().running:
        yield Check("ports", True, "in use by the running stack")
        return
    try:
        ports = resolve_ports(StackConfig.load(stack.state).ports, port_overrides(environment))
    except StackError as error:
        yield Check("ports", False, str(error), f"correct {stack.state.config} or the PAPPUS_PORT_ variables")
        return
    busy = {name: text for name, port in ports.items() if (text := busy_port(name, port))}
    for name, text in busy.items():
        found, _, remedy = text.partition(". ")
        yield Check(f"port of {name}", False, found, remedy)
    if not busy:
        yield Check("ports", True, f"all {len(ports)} free")
