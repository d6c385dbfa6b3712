"""One whole installation of compose.yaml for all tests here, under a name and on ports of its own. It takes minutes
and an engine whose processes may be killed, so these tests run only on demand: make test-containers."""

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from .installation import PROJECT, Compose, let_containers_in


def missing() -> str | None:
    """Return one sentence that says what these tests lack on this machine; None if they can run."""
    if shutil.which("docker") is None:
        return "The command docker is not on the PATH: install Docker Engine, and its plugin compose."
    if os.geteuid():
        return "These tests kill processes in containers: run them as root, on the machine of the engine."
    asked = subprocess.run(["docker", "compose", "config", "--images"], capture_output=True, text=True, cwd=PROJECT)
    if asked.returncode:
        return f"docker compose cannot read the files of COMPOSE_FILE: {asked.stderr.strip()}"
    for image in sorted(set(asked.stdout.split())):
        found = subprocess.run(["docker", "image", "inspect", image], capture_output=True, text=True)
        if found.returncode:
            return (
                f"The image {image} is not there ({found.stderr.strip()}): docker compose build, docker compose pull. "
                "Without a registry, build the stand-ins with COMPOSE_FILE=compose.yaml:compose.offline.yaml."
            )
    return None


@pytest.fixture(scope="session")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """The installation, empty at first, after `docker compose up --wait`; deleted afterwards with all its data."""
    if (lack := missing()) is not None:
        pytest.exit(lack, returncode=1)
    folder = tmp_path_factory.mktemp("compose", numbered=True)
    let_containers_in(folder)
    installation = Compose(folder)
    try:
        installation.up()
        yield installation
    finally:
        installation.delete()
