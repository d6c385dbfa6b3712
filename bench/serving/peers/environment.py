"""An environment for each peer, so that none decides over the versions of another."""

import shutil
import subprocess
import sys
from pathlib import Path

from bench.serving.peers.unavailable import Unavailable

REQUIREMENTS = Path(__file__).parent / "requirements"
INSTALL_SECONDS = 600
SHOWN = 300
"""So many characters of what uv says last are shown."""


def make_environment(name: str, folder: Path) -> Path:
    """Return the Python of the environment of this peer below the folder; what is there already is used again.

    Raises:
        Unavailable: it cannot be made or filled.
    """
    requirements = REQUIREMENTS / f"{name}.txt"
    python, installed = folder / name / "bin" / "python", folder / name / "installed.txt"
    if installed.is_file() and installed.read_bytes() == requirements.read_bytes():
        return python
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise Unavailable("uv, which makes the environment, is not there")
    _call(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder / name))
    _call(uv, "pip", "install", "--quiet", "--python", str(python), "--requirement", str(requirements))
    shutil.copyfile(requirements, installed)
    return python


def _call(*command: str) -> None:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"not installed within {INSTALL_SECONDS} s") from error
    if ended.returncode != 0:
        raise Unavailable(f"not installed: {' '.join(ended.stderr.split())[-SHOWN:]}")
