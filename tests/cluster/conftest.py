"""The cluster that KUBECONFIG names. These tests change it, so they run only on demand: make test-cluster."""

import os
import shutil
import subprocess
from collections.abc import Callable

import pytest

Kubectl = Callable[..., str]


def missing() -> str | None:
    """Return one sentence that says what these tests lack on this machine; None if they can run."""
    if not os.environ.get("KUBECONFIG"):
        return "KUBECONFIG is not set: name the file of a cluster that tests may change."
    if shutil.which("kubectl") is None:
        return "kubectl is not on the PATH: install it."
    asked = subprocess.run(["kubectl", "version", "--request-timeout=10s"], capture_output=True, text=True)
    if asked.returncode:
        return f"The cluster of KUBECONFIG does not answer: {asked.stderr.strip().splitlines()[-1]}"
    return None


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    """Runs kubectl with the text `given` as its input, returns what it prints; skips where there is no cluster."""
    if (lack := missing()) is not None:
        pytest.skip(lack)

    def run(*arguments: str, given: str = "") -> str:
        done = subprocess.run(["kubectl", *arguments], input=given, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run
