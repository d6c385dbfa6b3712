"""An installation in containers, and how tests speak with it: by docker compose, as the people who operate it."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2

from pappus.containers.secret_files import write_secrets
from pappus.stack.ports import free_ports

PROJECT = Path(__file__).resolve().parents[2]
UP_SECONDS = 300
COMMAND_SECONDS = 240
GUEST_SECONDS = 60
VOLUMES = {"full": "size=4k,uid=10001,mode=0700", "read-only": "ro,uid=10001,mode=0700"}
"""Options of what is mounted instead of a volume."""
STORY = ("--profile", "story", "run", "--rm", "--no-deps", "--use-aliases", "-T", "story")
DONE = {"prepare", "s3-volume", "story"}
"""Jobs: they end."""


def let_containers_in(folder: Path) -> None:
    """Let the users of containers, who do not exist here, pass to this folder."""
    for place in (folder, *folder.parents):
        if place.stat().st_mode & 0o001:
            return
        place.chmod(place.stat().st_mode | 0o011)


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

    @contextmanager
    def stopped(self, service: str) -> Iterator[None]:
        """Have this service stopped meanwhile."""
        self.run("stop", service)
        try:
            yield
        finally:
            self.run("start", service)

    def have_a_model(self) -> None:
        """Tell the story where none was told yet: for a test that runs alone."""
        address = f"http://127.0.0.1:{self.ports['PREDICTOR_API_0']}/readyz"
        if httpx2.get(address).status_code != 200:
            self.tell("demo")

    def guest(self, service: str, secrets: Path, *, network: str = "", volume: str = "", **environment: str) -> "Guest":
        """A container like that of the service, beside it, with these secrets and changes of its settings. `volume`:
        how its volume fails, `full` or `read-only`; `network`: host, instead of that of the installation."""
        known = self.configuration["services"][service]
        mounted = [volume for volume in known.get("volumes", ()) if volume["target"] == "/run/secrets"]
        own = [secrets / Path(each["source"]).relative_to(self.secrets) for each in mounted]
        settings = {**known["environment"], **environment}
        options = [
            *("--network", network or f"{self.name}_default"),
            *(f"--env={name}={value}" for name, value in settings.items()),
            *(f"--volume={folder}:/run/secrets:ro" for folder in own),
            *([f"--tmpfs=/var/lib/pappus:{VOLUMES[volume]}"] if volume else []),
        ]
        return Guest(known["image"], options, known["command"] or ())

    def bare_guest(self, service: str) -> "Guest":
        """A container of the service's image and command, without any setting."""
        known = self.configuration["services"][service]
        return Guest(known["image"], [], known["command"] or ())


@dataclass(frozen=True)
class Ended:
    """How a container ended: its exit code, None if it had to be killed, and what it printed."""

    code: int | None
    output: str


class Guest:
    """One container beside those of the installation."""

    def __init__(self, image: str, options: Sequence[str], command: Sequence[str]) -> None:
        self._name = f"pappus-guest-{uuid4().hex[:12]}"
        hardened = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--user=10001:10001", "--name", self._name)
        self._arguments = ("run", "--detach", *hardened, *options, image, *command)

    def __enter__(self) -> "Guest":
        _docker(*self._arguments)
        return self

    def __exit__(self, *_: object) -> None:
        _docker("rm", "--force", "--volumes", self._name)

    def run(self) -> Ended:
        """Run until it ends, at most GUEST_SECONDS."""
        with self:
            try:
                code = int(_docker("wait", self._name, seconds=GUEST_SECONDS))
            except subprocess.TimeoutExpired:
                return Ended(None, self.logs())
            return Ended(code, self.logs())

    def logs(self) -> str:
        """Return what it printed so far, errors last."""
        done = subprocess.run(["docker", "logs", self._name], capture_output=True, text=True)
        return done.stdout + done.stderr

    def running(self) -> bool:
        """Return whether its process runs."""
        return bool(_inspect("container", self._name)["State"]["Running"])

    def stop(self) -> int:
        """Ask it to end; return the exit code."""
        _docker("stop", self._name)
        return int(_inspect("container", self._name)["State"]["ExitCode"])

    def healthy(self) -> bool:
        """Return whether its process says that it is ready."""
        asked = ["docker", "exec", self._name, "python", "-m", "shared.runtime.healthcheck", "/readyz"]
        return subprocess.run(asked, capture_output=True).returncode == 0


def _inspect(kind: str, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(_docker(kind, "inspect", name))[0]
    return found


def _docker(*arguments: str, seconds: float = COMMAND_SECONDS) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, done.stderr
    return done.stdout
