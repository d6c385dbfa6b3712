"""What `make` installs into .venv, and that it says so first."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pappus.environment import CARD, REQUIREMENTS, entries, pinned_torch, without_torch

bare = pytest.mark.skipif(any(Path(file).exists() for file in CARD), reason="this machine has an NVIDIA card")


class FakeVenv:
    """A Python with nothing installed, and a uv beside it that keeps what it was called with."""

    def __init__(self, folder: Path) -> None:
        self.python, self.calls, self.packages = folder / "python", folder / "calls", folder / "packages"
        self.python.symlink_to(Path(sys.executable).resolve())

    def uv(self, *, index_answers: bool) -> None:
        answer = 0 if index_answers else 1
        uv = self.python.with_name("uv")
        uv.write_text(f'#!/bin/sh\necho "$*" >> {self.calls}\ncase "$*" in *--dry-run*) exit {answer};; esac\n')
        uv.chmod(0o755)

    def fill(self, choice: str, path: str = "/nothing") -> subprocess.CompletedProcess[str]:
        command = [str(self.python), "-m", "pappus.environment", choice]
        project, environment = REQUIREMENTS.parents[1], {"PATH": path, "PYTHONPATH": str(self.packages)}
        return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)

    @property
    def installed(self) -> str:
        """The last call of uv."""
        return self.calls.read_text().splitlines()[-1]


@pytest.fixture
def venv(tmp_path: Path) -> FakeVenv:
    made = FakeVenv(tmp_path)
    made.uv(index_answers=True)
    return made


@bare
def test_without_a_card_torch_is_the_cpu_build(venv: FakeVenv) -> None:
    ended = venv.fill("auto")
    others, torch = venv.calls.read_text().splitlines()[-2:]
    assert "--require-hashes" in others
    assert torch.endswith(f"--no-deps --torch-backend=cpu {pinned_torch(REQUIREMENTS.read_text())}")
    assert "with the CPU build of torch: about 0.7 GB to fetch, 2 GB on disk" in ended.stdout


@bare
def test_where_torchs_index_does_not_answer_the_other_is_taken(venv: FakeVenv) -> None:
    venv.uv(index_answers=False)
    ended = venv.fill("auto")
    assert ended.returncode == 0
    assert venv.installed.endswith(f"--require-hashes -r {REQUIREMENTS}")
    assert "does not answer: torch is taken from the package index" in ended.stdout.replace("\n", " ")
    assert "7 GB on disk" in ended.stdout


def test_with_a_card_torch_comes_with_cuda(venv: FakeVenv, tmp_path: Path) -> None:
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\n")
    smi.chmod(0o755)
    venv.fill("auto", path=str(tmp_path))
    assert venv.installed.endswith(f"-r {REQUIREMENTS}")


@pytest.mark.parametrize(("version", "cpu"), [("2.15.0+cpu", True), ("2.15.0", False)])
def test_the_torch_that_is_installed_keeps_its_kind(venv: FakeVenv, version: str, cpu: bool) -> None:
    about = venv.packages / f"torch-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
    ended = venv.fill("auto")
    assert ("--torch-backend=cpu" in venv.installed) == cpu
    assert ended.stdout == "Bringing .venv up to date with requirements/all.txt ...\n"


def test_the_choice_of_a_person_is_not_questioned(venv: FakeVenv) -> None:
    venv.uv(index_answers=False)
    venv.fill("cpu")
    assert "--torch-backend=cpu" in venv.installed
    venv.fill("default")
    assert "--torch-backend" not in venv.installed


def test_an_unknown_choice_is_answered_with_the_known_ones(venv: FakeVenv) -> None:
    ended = venv.fill("cuda")
    assert ended.returncode == 2
    assert "auto, cpu, default" in ended.stdout
    assert not venv.calls.exists()


def test_the_failure_of_uv_is_the_failure_of_make(venv: FakeVenv) -> None:
    venv.python.with_name("uv").write_text("#!/bin/sh\nexit 3\n")
    assert venv.fill("default").returncode == 3


def test_beside_the_cpu_build_there_are_no_packages_for_cards() -> None:
    kept = without_torch(REQUIREMENTS.read_text())
    assert not [line for line in kept.splitlines() if line.startswith(("torch==", "nvidia", "triton", "cuda"))]
    assert len(entries(kept)) > 150


@pytest.mark.parametrize("file", sorted(REQUIREMENTS.parent.glob("*.txt")), ids=lambda file: file.name)
def test_every_pin_has_the_hash_of_every_file_of_its_version(file: Path) -> None:
    pins = entries(file.read_text())
    assert pins
    for pin in pins:
        name, *hashes = pin.replace("\\\n", " ").split("--hash=")
        assert "==" in name
        assert hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}\s*", each) for each in hashes)
