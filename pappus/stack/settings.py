"""Where the stack keeps its things, from the environment (prefix PAPPUS_). No other module of the stack reads it."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

PORT_PREFIX = "PAPPUS_PORT_"


class StackSettings(BaseSettings):
    """`state` holds the data of one stack; `cache` what is fetched or built once for all of them."""

    model_config = SettingsConfigDict(env_prefix="PAPPUS_", frozen=True, extra="ignore")

    state: Path = Path(".pappus")
    cache: Path = Path("~/.cache/pappus")


def inherited_environment() -> Mapping[str, str]:
    """The caller's environment: children get it too (proxies, certificates, PATH)."""
    return dict(os.environ)


def without_ports(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for the supervisor: it reads the ports from the state's config alone, where `up` has put them."""
    return {key: value for key, value in environment.items() if not key.startswith(PORT_PREFIX)}


def port_overrides(environment: Mapping[str, str]) -> dict[str, str]:
    """Ports set as PAPPUS_PORT_<NAME>, by the names of the table in `ports.py`: ..._LABELER_API is `labeler-api`."""
    return {
        key.removeprefix(PORT_PREFIX).lower().replace("_", "-"): value
        for key, value in environment.items()
        if key.startswith(PORT_PREFIX)
    }
