"""With what a model is made: the libraries and the kind of CPU that its bits depend on."""

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

LIBRARIES = ("numpy", "scipy", "torch", "onnx", "onnxruntime", "opencv-python-headless", "pillow", "simplejpeg")
"""What touches a pixel or a number on the way to a model."""
CPU, KERNELS = "cpu", "blas_kernels"
"""Of the machine: other values may give other bits with the same libraries."""


@cache
def made_with() -> dict[str, str]:
    """Return versions by library, "python", the model of the CPU, and the kernels that BLAS chose for it."""
    found = {name: installed for name in LIBRARIES if (installed := _version(name))} | {"numpy": np.__version__}
    kernels = sorted({f"{each['internal_api']} {each['architecture']}" for each in _blas_of_numpy()})
    return {**found, "python": platform.python_version(), CPU: _cpu(), KERNELS: ", ".join(kernels)}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _blas_of_numpy() -> list[dict[str, str]]:
    """Return the BLAS that numpy brought; where it uses the system's, every one that is loaded. Other libraries, loaded
    or not, bring their own."""
    found = [each for each in threadpool_info() if each.get("user_api") == "blas" and "architecture" in each]
    return [each for each in found if "numpy" in each.get("filepath", "")] or found


def _cpu() -> str:
    """Return the model of the CPU as the system names it, else its family."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
