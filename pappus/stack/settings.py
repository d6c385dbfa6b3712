"""The settings of the stack from the environment (prefix PAPPUS_). No other module of the stack reads it."""

import os
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from pydantic import Field

from pappus.stack.folders import PROJECT
from shared.runtime.settings import EnvironmentSettings

PREFIX = "PAPPUS_"
PORT_PREFIX = "PAPPUS_PORT_"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
PASSED_ON = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "LANG", "LANGUAGE", "TZ", "JAVA_HOME"),
        *("LD_LIBRARY_PATH", "VIRTUAL_ENV", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"),
        *(*_PROXIES, *map(str.lower, _PROXIES)),
    )
)
PASSED_ON_PREFIXES = ("LC_", "SSL_", "PYTHON", "OTEL_", "OMP_", "OPENBLAS_", "MKL_", "CUDA_")
"""What processes get of the caller's environment. A shell holds more, keys of clouds and tokens of tools among it."""


class StackSettings(EnvironmentSettings):
    """`state`: the folder of one stack's data. `cache`: the folder of things fetched or built once for all stacks.
    `test_logs`: a folder to which the logs of test servers are copied before the servers are deleted; None copies none.
    `background_niceness`: how much lower the CPU priority of background components is; trainings read it too.
    """

    state: Path = Path(".pappus")
    cache: Path = Path("~/.cache/pappus")
    test_logs: Path | None = None
    background_niceness: int = Field(default=10, ge=0, le=19)


def inherited_environment() -> Mapping[str, str]:
    """Return the caller's environment, of which children get a part (`server_environment`), but for the switch that
    keeps Python from storing compiled modules: without them each process compiles all it imports."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def server_environment(environment: Mapping[str, str], *kept: str) -> dict[str, str]:
    """Return the part of the caller's environment that a server gets: where programs, certificates and proxies are, and
    the variables `kept`."""
    return {
        name: value
        for name, value in environment.items()
        if name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES) or name in kept
    }


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the part of the caller's environment that a service gets: what a server gets, and settings of Pappus."""
    return server_environment(environment, *(name for name in environment if name.startswith(PREFIX)))


def with_project(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with which Python finds the code from any working directory."""
    others = environment.get("PYTHONPATH", "")
    return {**environment, "PYTHONPATH": f"{PROJECT}{os.pathsep}{others}" if others else str(PROJECT)}


def without_ports(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the supervisor, which takes ports from the state's config alone."""
    return {key: value for key, value in environment.items() if not key.startswith(PORT_PREFIX)}


def port_overrides(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the ports set as PAPPUS_PORT_<NAME>, by their names in `ports.py`: ..._LABELER_API is `labeler-api`."""
    return {
        key.removeprefix(PORT_PREFIX).lower().replace("_", "-"): value
        for key, value in environment.items()
        if key.startswith(PORT_PREFIX)
    }


def maven_repository(environment: Mapping[str, str]) -> str | None:
    """Return the address of the Maven repository that jars are fetched from; None for Maven Central.

    PAPPUS_MAVEN_REPOSITORY, else the mirror of `central` in ~/.m2/settings.xml. A login for it is read from ~/.netrc.
    """
    if chosen := environment.get("PAPPUS_MAVEN_REPOSITORY"):
        return chosen
    settings = Path(environment.get("HOME", "~")).expanduser() / ".m2" / "settings.xml"
    try:
        mirrors = ElementTree.parse(settings).iterfind("{*}mirrors/{*}mirror")  # noqa: S314 - the user's own file
        return next((url for mirror in mirrors if (url := _url_for_central(mirror))), None)
    except (FileNotFoundError, ElementTree.ParseError):
        return None


def _url_for_central(mirror: ElementTree.Element) -> str | None:
    covered = {word.strip() for word in mirror.findtext("{*}mirrorOf", "").split(",")}
    stands_in = bool(covered & {"*", "external:*", "central"}) and "!central" not in covered
    return mirror.findtext("{*}url", "").strip() or None if stands_in else None
