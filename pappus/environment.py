"""Fill .venv from requirements/all.txt: `python -m pappus.environment auto | cpu | default [REQUIREMENTS]`.

`make` runs it with the Python of .venv, which has nothing but uv yet, so only the standard library is imported here;
images are built with it from the requirements of one service.

Each file is checked against the sha256 in all.txt before anything of it runs. Of torch's CPU build only the version is
pinned: it comes from torch's own index, which has other files than the package index that all.txt was made from.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements" / "all.txt"
TORCH = "torch=="
# The packages of torch for NVIDIA cards, which the CPU build does not need.
CUDA = ("nvidia-", "triton", "cuda-")
CARD = ("/proc/driver/nvidia/version", "/sys/module/nvidia/version")
ANSWER_SECONDS = 60
CHOICES = ("auto", "cpu", "default")
CPU_SIZE = "the CPU build of torch: about 0.7 GB to fetch, 2 GB on disk, 1 to 5 minutes"
DEFAULT_SIZE = "torch with CUDA: about 3.5 GB to fetch, 7 GB on disk, 2 to 15 minutes"


def main(arguments: Sequence[str]) -> int:
    """Print what will be fetched, then fetch it. Return the exit code of uv; 2 for an unknown choice."""
    choice = arguments[0] if arguments else "auto"
    if choice not in CHOICES:
        print(f"TORCH is {choice!r}; choose one of {', '.join(CHOICES)}.")  # noqa: T201
        return 2
    requirements = Path(arguments[1]) if len(arguments) > 1 else REQUIREMENTS
    torch = pinned_torch(requirements.read_text())
    installed = _installed_torch()
    cpu = torch is not None and _wants_cpu_build(choice, installed, torch)
    if installed or not torch:
        where = ".venv" if requirements == REQUIREMENTS else sys.prefix
        _say(f"Bringing {where} up to date with requirements/{requirements.name} ...")
    else:
        _say(f"Installing the Python packages into .venv, once; with {CPU_SIZE if cpu else DEFAULT_SIZE} ...")
    return _install(torch if cpu else None, requirements)


def entries(text: str) -> list[str]:
    """Return the entries of a requirements file, each with its hashes: the indented lines that follow it."""
    found: list[str] = []
    for line in text.splitlines(keepends=True):
        if line.startswith(" "):
            found[-1] += line
        else:
            found.append(line)
    return found


def without_torch(text: str) -> str:
    """Return the requirements without torch and its packages for NVIDIA cards."""
    return "".join(entry for entry in entries(text) if not entry.startswith((TORCH, *CUDA)))


def pinned_torch(text: str) -> str | None:
    """Return torch with its version, as installers read it; None if these requirements need none."""
    return next((entry.split()[0] for entry in entries(text) if entry.startswith(TORCH)), None)


def _installed_torch() -> str | None:
    """Return the version of torch, which ends in +cpu for the CPU build; None if it is not installed."""
    try:
        return version("torch")
    except PackageNotFoundError:
        return None


def _wants_cpu_build(choice: str, installed: str | None, torch: str) -> bool:
    """Return whether to take the CPU build. `installed`: the present version of torch; `auto` keeps its kind."""
    if choice != "auto":
        return choice == "cpu"
    return installed.endswith("+cpu") if installed else _cpu_build_fits(torch)


def _cpu_build_fits(torch: str) -> bool:
    """Return whether this is a Linux machine without an NVIDIA card that reaches torch's own index."""
    if sys.platform != "linux" or _has_card():
        return False
    if _cpu_index_answers(torch):
        return True
    _say(
        "This machine has no NVIDIA card, but torch's own index, which has the small CPU build, does not answer: torch "
        "is taken from the package index. It works the same and takes 5 GB more."
    )
    return False


def _has_card() -> bool:
    return any(Path(file).exists() for file in CARD) or shutil.which("nvidia-smi") is not None


def _cpu_index_answers(torch: str) -> bool:
    command = (*_uv(), "--dry-run", "--reinstall", *_cpu_build_of(torch))
    environment = {**os.environ, "UV_HTTP_TIMEOUT": "10", "UV_HTTP_RETRIES": "1"}
    try:
        ended = subprocess.run(command, env=environment, capture_output=True, timeout=ANSWER_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return False
    return ended.returncode == 0


def _install(cpu_build: str | None, requirements: Path) -> int:
    if cpu_build is None:
        return _install_checked(str(requirements))
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as others:
        others.write(without_torch(requirements.read_text()))
        others.flush()
        return _install_checked(others.name) or subprocess.call((*_uv(), *_cpu_build_of(cpu_build)))  # noqa: S603


def _install_checked(requirements: str) -> int:
    return subprocess.call((*_uv(), "--require-hashes", "-r", requirements))  # noqa: S603


def _cpu_build_of(torch: str) -> tuple[str, ...]:
    """Return the arguments that name torch's CPU build and nothing else: what it needs stands in the requirements."""
    return ("--no-deps", "--torch-backend=cpu", torch)


def _uv() -> tuple[str, ...]:
    return (str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--python", sys.executable)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - nothing to print with is installed yet


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
