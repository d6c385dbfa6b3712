"""Prometheus: collects the metrics of all processes. It is the one of the machine."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from pappus.stack.component import Component, Launch, Say
from pappus.stack.context import StackContext
from pappus.stack.errors import StackError
from pappus.stack.files import write_private
from pappus.stack.folders import INFRA
from pappus.stack.ports import HOST
from pappus.stack.probes import http_ok
from pappus.stack.services import SERVICES

RULES = INFRA / "containers" / "prometheus" / "rules"
REMEDY = "Debian and Ubuntu: apt install prometheus; macOS: brew install prometheus"
SCRAPE_SECONDS = 5


def find_prometheus(environment: Mapping[str, str]) -> Path:
    """Return the program. Raises StackError if this machine has none."""
    found = shutil.which("prometheus", path=environment.get("PATH", ""))
    if found is None:
        raise StackError(f"Metrics are collected by Prometheus, which this machine lacks. {REMEDY}.")
    return Path(found)


def prometheus_component(context: StackContext) -> Component:
    """Return the component of Prometheus, which asks each service every SCRAPE_SECONDS."""
    address = context.url("prometheus")

    async def launch(_: Say) -> Launch:
        program = find_prometheus(context.environment)
        folder = context.state.working_folder("prometheus")
        write_private(folder / "prometheus.yml", configuration(context))
        arguments = (
            *(str(program), f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"),
            *(f"--web.listen-address={HOST}:{context.ports['prometheus']}", "--storage.tsdb.retention.time=15d"),
            "--log.level=warn",
        )
        return Launch(arguments, context.server_environment, folder)

    return Component(
        name="prometheus",
        group="servers",
        launch=launch,
        probe=lambda: http_ok(f"{address}/-/ready"),
        ports={"prometheus": context.ports["prometheus"]},
        address=address,
        start_seconds=60.0,
        low_priority=True,
        config_hash=configuration(context),
    )


def configuration(context: StackContext) -> str:
    """Return what Prometheus is told: each process of a service is asked at its health port. JSON, which is YAML."""
    targets = [
        {"targets": [f"{HOST}:{context.ports[service.health]}"], "labels": {"service": service.name}}
        for service in SERVICES
    ]
    return json.dumps(
        {
            "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": f"{SCRAPE_SECONDS}s"},
            "rule_files": [f"{RULES}/*.yml"],
            "scrape_configs": [{"job_name": "pappus", "static_configs": targets}],
        },
        indent=2,
    )
