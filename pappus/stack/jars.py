"""Fetch the jars that a pom.xml names: `python -m pappus.stack.jars POM TARGET [--repository ADDRESS]`.

A process of its own, because fetching blocks: when the step is cancelled, this process is killed.
"""

import argparse
import logging
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jgo.maven import POM, Artifact, MavenContext

SCOPES = ("compile", "runtime")
CONNECTIONS = 8
TIMEOUT_SECONDS = 60


class WarningsAreErrors(logging.Handler):
    """Turns warnings of jgo into errors: it only warns about a wrong checksum."""

    def emit(self, record: logging.LogRecord) -> None:
        """Raise RuntimeError."""
        raise RuntimeError(record.getMessage())


def fetch(pom: Path, target: Path, repository: str | None) -> None:
    """Put the jars into `target`, with their run-time dependencies, in the versions that Maven would choose.

    Raises:
        RuntimeError: a jar is not in the repository, or its checksum is wrong.
        OSError: the repository does not answer, or the disk is full.
    """
    scratch = target / "repository"
    remote = {"central": repository.rstrip("/")} if repository else None
    context = MavenContext(repo_cache=scratch, remote_repos=remote, timeout=TIMEOUT_SECONDS)
    _, nodes = context.pom_dependency_list(POM(pom))
    artifacts = [node.dep.artifact for node in nodes if node.dep.scope in SCOPES]
    with ThreadPoolExecutor(CONNECTIONS) as connections:
        for jar in connections.map(_download, artifacts):
            jar.rename(target / jar.name)
    shutil.rmtree(scratch)


def _download(artifact: Artifact) -> Path:
    return Path(artifact.resolve())


def main(arguments: Sequence[str]) -> int:
    """Fetch the jars; return 1 and print the reason and the remedy if that fails."""
    parser = argparse.ArgumentParser(prog="pappus.stack.jars")
    parser.add_argument("pom", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--repository")
    options = parser.parse_args(arguments)
    logging.getLogger("jgo").addHandler(WarningsAreErrors(logging.WARNING))
    try:
        fetch(options.pom, options.target, options.repository)
    except (RuntimeError, OSError) as error:
        print(  # noqa: T201 - the parent shows it
            f"The jars of {options.pom} cannot be fetched from {options.repository or 'Maven Central'}: {error}\n"
            "Check the network (HTTPS_PROXY, SSL_CERT_FILE), or name a repository that this machine reaches: "
            "PAPPUS_MAVEN_REPOSITORY=<address>"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
