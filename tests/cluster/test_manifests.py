"""A real API server takes the manifests."""

import pytest
import yaml

from pappus.stack.folders import PROJECT
from tests.cluster.conftest import Kubectl

OVERLAYS = PROJECT / "infra" / "k8s" / "overlays"
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


def test_the_local_overlay_is_taken_without_a_warning(kubectl: Kubectl) -> None:
    if not (OVERLAYS / "local" / "kustomization.yaml").exists():
        pytest.skip(f"there is no overlay in {OVERLAYS}")
    documents = list(yaml.safe_load_all(kubectl("kustomize", str(OVERLAYS / "local"))))
    # What is not there cannot be dry-run into; what is there, is as it was.
    namespaces = [document for document in documents if document["kind"] == "Namespace"]
    kubectl("apply", "--filename", "-", given=yaml.safe_dump_all(namespaces))
    for document in documents:
        if document["kind"] == "Job":  # one that ran cannot be changed, so it is asked about under another name
            document["metadata"]["name"] += "-dry-run"
    said = kubectl("apply", "--dry-run=server", "--filename", "-", given=yaml.safe_dump_all(documents))
    assert "Warning" not in said
    assert len(said.splitlines()) == len(documents)
