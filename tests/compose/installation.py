"""An installation in containers, and how tests speak with it: by docker compose, as the people who operate it."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pappus.containers.secret_files import write_secrets
from pappus.stack.ports import free_ports

PROJECT = Path(__file__).resolve().parents[2]
UP_SECONDS = 300
COMMAND_SECONDS = 240
STORY = ("--profile", "story", "run", "--rm", "--no-deps", "--use-aliases", "-T", "story")
DONE = {"prepare", "s3-volume", "story"}
"""Jobs: they end."""


class Compose:
    """compose.yaml, or the files that COMPOSE_FILE names, as a project of its own in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.name = f"pappus-test-{os.getpid()}"
        self.secrets = folder / "secrets"
        names = sorted(set(re.findall(r"PAPPUS_PORT_([A-Z0-9_]+)", (PROJECT / "compose.yaml").read_text())))
        self.ports = free_ports(names)
        write_secrets(self.secrets)
        self.environment = os.environ | {
            "COMPOSE_PROJECT_NAME": self.name,
            "PAPPUS_SECRETS": str(self.secrets),
            "PAPPUS_ALLOWED_HOSTS": '["story:8300"]',  # where the demo serves the pictures that it draws
            **{f"PAPPUS_PORT_{name}": str(port) for name, port in self.ports.items()},
        }

    def up(self) -> None:
        """Start what does not run, and wait until all of it is healthy."""
        self.run("up", "--detach", "--no-build", "--wait", f"--wait-timeout={UP_SECONDS}", seconds=UP_SECONDS + 60)

    def delete(self) -> None:
        """Remove the containers, networks and data; keep their logs if PAPPUS_TEST_LOGS names a folder."""
        if (logs := os.environ.get("PAPPUS_TEST_LOGS")) is not None:
            Path(logs).mkdir(parents=True, exist_ok=True)
            (Path(logs) / f"{self.name}.log").write_text(self.start("logs", "--no-color").communicate()[0])
        self.run("--profile", "story", "down", "--volumes", "--remove-orphans")

    def run(self, *arguments: str, seconds: float = COMMAND_SECONDS, **environment: str) -> str:
        """Run a command of docker compose that succeeds; return what it printed."""
        started = self.start(*arguments, **environment)
        try:
            output, _ = started.communicate(timeout=seconds)
        finally:
            started.kill()
        assert started.returncode == 0, output
        return output

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command of docker compose. What it prints comes out of `communicate`, errors among the rest."""
        return subprocess.Popen(
            ["docker", "compose", *arguments],
            cwd=PROJECT,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def tell(self, *story: str) -> str:
        """Run a command of the story inside of the installation; return what it printed."""
        return self.run(*STORY, *story)

    @cached_property
    def services(self) -> list[str]:
        """The services that stay, servers first, as compose names them."""
        return [name for name in self.configuration["services"] if name not in DONE]

    @cached_property
    def configuration(self) -> Mapping[str, Any]:
        """All files of the project together, as compose reads them."""
        found: Mapping[str, Any] = json.loads(self.run("config", "--format", "json"))
        return found

    def container(self, service: str) -> Mapping[str, Any]:
        """Return what the engine knows of the service's container."""
        return _inspect("container", f"{self.name}-{service}-1")

    def image(self, service: str) -> Mapping[str, Any]:
        """Return what the engine knows of the service's image."""
        return _inspect("image", self.configuration["services"][service]["image"])

    def processes(self, service: str) -> list[list[str]]:
        """Return user and command of each process of the service."""
        listed = _docker("top", f"{self.name}-{service}-1", "-eo", "pid,uid,args")
        return [line.split(maxsplit=2)[1:] for line in listed.splitlines()[1:]]

    def process(self, service: str) -> int:
        """Return the id of the container's first process, on this machine; 0 while none runs."""
        return int(self.container(service)["State"]["Pid"])

    def kill(self, service: str) -> int:
        """kill -9 the container's first process, and return its id. The engine sees it end by itself."""
        process = self.process(service)
        assert process, f"{service} does not run"
        os.kill(process, signal.SIGKILL)
        return process

    def unhealthy(self) -> dict[str, str]:
        """Return the state of each service that stays and is not healthy, or does not run."""
        states = {name: self.container(name)["State"] for name in self.services}
        said = {name: state.get("Health", {}).get("Status", state["Status"]) for name, state in states.items()}
        return {name: each for name, each in said.items() if each not in ("healthy", "running")}


def _inspect(kind: str, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(_docker(kind, "inspect", name))[0]
    return found


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
