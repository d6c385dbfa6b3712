"""A real API server takes the manifests."""

import pytest

from pappus.stack.folders import PROJECT
from tests.cluster.conftest import Kubectl

OVERLAYS = PROJECT / "infra" / "k8s" / "overlays"
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]


def test_the_local_overlay_is_taken_without_a_warning(kubectl: Kubectl) -> None:
    if not (OVERLAYS / "local" / "kustomization.yaml").exists():
        pytest.skip(f"there is no overlay in {OVERLAYS}")
    kubectl("apply", "--filename", str(PROJECT / "infra" / "k8s" / "base" / "namespace.yaml"))
    said = kubectl("apply", "--kustomize", str(OVERLAYS / "local"), "--dry-run=server")
    assert "Warning" not in said
    assert "deployment.apps" in said
