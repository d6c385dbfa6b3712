"""The limits of connections to PostgreSQL: enough for as many processes as the manifests start. None is opened here."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pappus.stack.services import DATABASE, SERVICES

ROOT = Path(__file__).parents[3]
MANIFESTS = ROOT / "infra/k8s"
CONNECTIONS_OF_A_PROCESS = 13
"""The most that one process with tables holds (docs/scaling.md): its pool, its locks, and what tells it of changes."""
RESERVED = 3
"""Connections that PostgreSQL keeps for a superuser."""
LIMITS = {
    role: int(limit)
    for role, limit in re.findall(
        r"ALTER ROLE (\w+) CONNECTION LIMIT (\d+);", (ROOT / "infra/postgres/10-roles.sql").read_text()
    )
}
SERVERS = [
    "compose.yaml",
    "infra/k8s/overlays/local/servers/postgres.yaml",
    "infra/k8s/overlays/prod/postgres/cluster.yaml",
    "pappus/stack/postgres.py",
    "tests/containers.py",
]


def manifests(file: Path) -> list[Any]:
    """Return the resources of a file."""
    return [found for found in yaml.safe_load_all(file.read_text()) if found]


def copies_at_most(process: str) -> int:
    """Return how many pods of a process there are at most: those of autoscaling, and one more during an update."""
    [workload] = manifests(MANIFESTS / "base" / f"{process}.yaml")
    sizes = [one for one in manifests(MANIFESTS / "overlays/prod/sizes.yaml") if one["metadata"]["name"] == process]
    replicas: list[int] = [one["spec"]["replicas"] for one in (workload, *sizes) if "replicas" in one["spec"]]
    scaled = MANIFESTS / "components/autoscaling" / f"{process}.yaml"
    if scaled.exists():
        replicas.append(manifests(scaled)[0]["spec"]["maxReplicaCount"])
    surge = int(workload["spec"]["strategy"].get("rollingUpdate", {}).get("maxSurge", 0))
    return max(replicas) + surge


@pytest.mark.parametrize("owner", sorted({service.owner for service in SERVICES if DATABASE in service.uses}))
def test_a_role_has_connections_for_all_its_pods(owner: str) -> None:
    processes = [one.name for one in SERVICES if one.owner == owner and DATABASE in one.uses]
    assert LIMITS[owner] >= CONNECTIONS_OF_A_PROCESS * sum(map(copies_at_most, processes))


@pytest.mark.parametrize("file", SERVERS)
def test_a_server_has_connections_for_all_roles(file: str) -> None:
    [found] = re.findall(r'max_connections"?(?:=|: )"?(\d+)', (ROOT / file).read_text())
    assert int(found) - RESERVED >= sum(LIMITS.values())
