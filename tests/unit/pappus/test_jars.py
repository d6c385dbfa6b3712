"""Kafka's jars: declared in one file, fetched from a Maven repository without Maven."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pappus.stack import jars, kafka
from pappus.stack.ports import HOST
from pappus.stack.settings import maven_repository

MIRROR = "<settings{0}><mirrors><mirror><mirrorOf>{1}</mirrorOf><url>{2}</url></mirror></mirrors></settings>"
NAMESPACE = ' xmlns="urn:settings"'


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name the server uses
        """Say nothing."""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The folder of a Maven repository: `server` needs `clients` to run, and `junit` for its tests alone."""
    folder = tmp_path / "repository"
    needs = dependency("clients", "1.2") + dependency("junit", "4", scope="test")
    publish(folder, "server", "1.0", needs)
    publish(folder, "clients", "1.2", "")
    return folder


@pytest.fixture
def address(repository: Path) -> Iterator[str]:
    server = ThreadingHTTPServer((HOST, 0), partial(QuietHandler, directory=str(repository)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://{HOST}:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def pom(tmp_path: Path) -> Path:
    file = tmp_path / "pom.xml"
    file.write_text(project("broker", "1", dependency("server", "1.0", scope="runtime")))
    return file


def dependency(name: str, version: str, scope: str = "compile") -> str:
    return (
        f"<dependency><groupId>test</groupId><artifactId>{name}</artifactId><version>{version}</version>"
        f"<scope>{scope}</scope></dependency>"
    )


def project(name: str, version: str, needs: str) -> str:
    return (
        f"<project><modelVersion>4.0.0</modelVersion><groupId>test</groupId><artifactId>{name}</artifactId>"
        f"<version>{version}</version><dependencies>{needs}</dependencies></project>"
    )


def publish(repository: Path, name: str, version: str, needs: str) -> None:
    folder = repository / "test" / name / version
    folder.mkdir(parents=True)
    (folder / f"{name}-{version}.pom").write_text(project(name, version, needs))
    (folder / f"{name}-{version}.jar").write_bytes(name.encode())
    for file in list(folder.iterdir()):
        Path(f"{file}.sha1").write_text(hashlib.sha1(file.read_bytes()).hexdigest())


def fetch(pom: Path, target: Path, address: str) -> int:
    target.mkdir()
    return jars.main([str(pom), str(target), "--repository", f"{address}/"])


def test_the_jars_needed_at_run_time_are_fetched(tmp_path: Path, pom: Path, address: str) -> None:
    assert fetch(pom, tmp_path / "target", address) == 0
    fetched = {file.name: file.read_bytes() for file in (tmp_path / "target").iterdir()}
    assert fetched == {"server-1.0.jar": b"server", "clients-1.2.jar": b"clients"}


def test_a_jar_with_a_wrong_checksum_is_refused(
    tmp_path: Path, pom: Path, address: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "test" / "clients" / "1.2" / "clients-1.2.jar").write_bytes(b"something else")
    assert fetch(pom, tmp_path / "target", address) == 1
    assert "Checksum mismatch for clients-1.2.jar" in capsys.readouterr().out


def test_a_missing_jar_is_named_with_what_to_do(
    tmp_path: Path, pom: Path, address: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "test" / "clients" / "1.2" / "clients-1.2.jar").unlink()
    assert fetch(pom, tmp_path / "target", address) == 1
    said = capsys.readouterr().out
    assert "test:clients" in said
    assert "PAPPUS_MAVEN_REPOSITORY=<address>" in said


def test_a_repository_that_does_not_answer_is_said_in_words(
    tmp_path: Path, pom: Path, unused_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(pom, tmp_path / "target", f"http://{HOST}:{unused_port}") == 1
    assert f"cannot be fetched from http://{HOST}:{unused_port}" in capsys.readouterr().out


def test_broker_and_tools_are_declared_in_one_version() -> None:
    declared = {
        found.findtext("artifactId"): found.findtext("version")
        for found in ElementTree.parse(kafka.POM).iterfind("dependencies/dependency")
    }
    assert declared["kafka_2.13"] == declared["kafka-tools"] == "4.3.1"
    assert declared["log4j-core"] == declared["log4j-slf4j-impl"]


def settings(home: Path, text: str) -> dict[str, str]:
    (home / ".m2").mkdir()
    (home / ".m2" / "settings.xml").write_text(text)
    return {"HOME": str(home)}


@pytest.mark.parametrize("namespace", ["", NAMESPACE])
@pytest.mark.parametrize("covered", ["*", "central", "external:*", "other, central"])
def test_the_mirror_of_the_maven_settings_is_used(tmp_path: Path, covered: str, namespace: str) -> None:
    environment = settings(tmp_path, MIRROR.format(namespace, covered, " http://mirror/maven "))
    assert maven_repository(environment) == "http://mirror/maven"


@pytest.mark.parametrize("covered", ["other", "*,!central", ""])
def test_a_mirror_of_something_else_is_not_used(tmp_path: Path, covered: str) -> None:
    assert maven_repository(settings(tmp_path, MIRROR.format("", covered, "http://mirror"))) is None


def test_the_variable_goes_before_the_maven_settings(tmp_path: Path) -> None:
    environment = settings(tmp_path, MIRROR.format("", "*", "http://mirror"))
    assert maven_repository({**environment, "PAPPUS_MAVEN_REPOSITORY": "http://mine"}) == "http://mine"


@pytest.mark.parametrize("text", [None, "", "<settings/>", "no xml"])
def test_without_a_mirror_it_is_maven_central(tmp_path: Path, text: str | None) -> None:
    environment = {"HOME": str(tmp_path)} if text is None else settings(tmp_path, text)
    assert maven_repository(environment) is None
