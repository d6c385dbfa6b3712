"""Faults to make in a copy of a checkout, one for each rule that must find it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.deploy import checks

UNLIMITED = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: unlimited}
spec:
  replicas: 1
  selector: {matchLabels: {app: unlimited}}
  template:
    metadata: {labels: {app: unlimited}}
    spec:
      containers: [{name: unlimited, image: "pappus/unlimited:latest"}]
"""
MISSPELT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: misspelt}
spec:
  replicas: two
  selector: {matchLabels: {app: misspelt}}
  template:
    metadata: {labels: {app: misspelt}}
    spec: {containers: [{name: misspelt, image: "pappus/misspelt:1.0.0"}]}
"""
UNKNOWN_FIELD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: unknown-field}
spec:
  selector: {matchLabels: {app: unknown-field}}
  template:
    metadata: {labels: {app: unknown-field}}
    spec: {containers: [{name: unknown-field, image: "pappus/unknown:1.0.0", memoryLimit: 1Gi}]}
"""
STRANGE_TOPIC = """
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata: {name: strange}
spec: {partitions: 3, replicas: 3, retention: 7d}
"""
OLD_TOPIC = STRANGE_TOPIC.replace("strimzi.io/v1", "strimzi.io/v1beta2").replace(", retention: 7d", "")
STRANGE_SCALER = """
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: strange}
spec: {scaleTargetRef: {name: example}}
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: what `make` does to a copy, the check that must find it, and words of its complaint."""

    name: str
    check: str
    make: Callable[[Path], None]
    complaint: str


def copy_checkout(root: Path, target: Path) -> None:
    """Copy the files that are checked, and no others."""
    wanted = [*checks.dockerfiles(root), *checks.compose_files(root), *checks.workflows(root)]
    wanted += [file for file in (root / "infra" / "k8s").rglob("*") if file.is_file()]
    wanted += root.glob(".github/actionlint.yaml")
    wanted += root.glob("docs/asyncapi.json")
    for file in wanted:
        place = target / file.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)


def _in_dockerfile(line: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        file = checks.dockerfiles(root)[0]
        file.write_text(f"{file.read_text()}\n{line}\n")

    return make


def _in_compose(name: str, service: dict[str, Any]) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        file = root / "compose.yaml"
        sound = {"image": "example/sound:1.0.0", "mem_limit": "64m", "healthcheck": {"test": ["CMD", "true"]}}
        added = yaml.safe_dump({name: {key: each for key, each in (sound | service).items() if each is not None}})
        indented = "".join(f"  {line}\n" for line in added.splitlines())
        file.write_text(file.read_text().replace("\nservices:\n", f"\nservices:\n{indented}", 1))

    return make


def _in_overlay(manifest: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        overlay = checks.overlays(root)[-1]
        (overlay / "added.yaml").write_text(manifest)
        _add_resource(overlay, "added.yaml")

    return make


def _add_resource(overlay: Path, name: str) -> None:
    file = overlay / "kustomization.yaml"
    kustomization = yaml.safe_load(file.read_text())
    kustomization["resources"] = [*kustomization.get("resources", []), name]
    file.write_text(yaml.safe_dump(kustomization))


def _name_a_missing_file(root: Path) -> None:
    _add_resource(checks.overlays(root)[-1], "missing.yaml")


def _in_workflow(job: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        file = checks.workflows(root)[0]
        file.write_text(f"{file.read_text().rstrip()}\n{job}")

    return make


def _in_events(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        file = root / "docs" / "asyncapi.json"
        document = json.loads(file.read_text())
        change(document)
        file.write_text(json.dumps(document))

    return make


def _point_nowhere(document: dict[str, Any]) -> None:
    next(iter(document["operations"].values()))["channel"] = {"$ref": "#/channels/nowhere"}


INJECTION = """
  added:
    runs-on: ubuntu-24.04
    permissions: {}
    steps:
      - run: echo ${{ github.event.pull_request.title }}
"""
UNPINNED = """
  added:
    runs-on: ubuntu-24.04
    permissions: {}
    steps:
      - uses: actions/checkout@v7
        with:
          persist-credentials: false
"""
MISSPELT_CONTEXT = """
  added:
    runs-on: ubuntu-24.04
    permissions: {}
    steps:
      - run: echo "${{ gitub.sha }}"
"""
WITHOUT_STEPS = """
  added:
    runs-on: ubuntu-24.04
"""

FAULTS = (
    Fault("sudo", "hadolint", _in_dockerfile("RUN sudo true"), "DL3004"),
    Fault("moving base", "hadolint", _in_dockerfile("FROM debian:latest"), "DL3007"),
    Fault("unknown instruction", "hadolint", _in_dockerfile("RUNN true"), "missing whitespace"),
    Fault("unknown key", "compose", _in_compose("added", {"memory": "1g"}), "'memory' was unexpected"),
    Fault("open port", "compose", _in_compose("added", {"ports": ["8080:8080"]}), "open to the network"),
    Fault("open port, long", "compose", _in_compose("added", {"ports": [{"target": 80}]}), "open to the network"),
    Fault(
        "written secret", "compose", _in_compose("added", {"environment": {"A_PASSWORD": "x"}}), "A_PASSWORD is written"
    ),
    Fault(
        "default secret", "compose", _in_compose("added", {"command": "${A_PASSWORD:-x}"}), "A_PASSWORD} has a default"
    ),
    Fault("no limit", "compose", _in_compose("added", {"mem_limit": None}), "all memory"),
    Fault("no health", "compose", _in_compose("added", {"healthcheck": None}), "no healthcheck"),
    Fault("moving tag", "compose", _in_compose("added", {"image": "example/sound:latest"}), "has no version"),
    Fault("no tag", "compose", _in_compose("added", {"image": "registry:5000/sound"}), "has no version"),
    Fault("no image", "compose", _in_compose("added", {"image": None}), "neither an image"),
    Fault("missing file", "kustomize", _name_a_missing_file, "missing.yaml"),
    Fault("number as word", "kubeconform", _in_overlay(MISSPELT), "replicas"),
    Fault("unknown field", "kubeconform", _in_overlay(UNKNOWN_FIELD), "memoryLimit"),
    Fault("unknown field of Strimzi", "kubeconform", _in_overlay(STRANGE_TOPIC), "retention"),
    Fault("old version of Strimzi", "kubeconform", _in_overlay(OLD_TOPIC), "could not find schema"),
    Fault("missing field of KEDA", "kubeconform", _in_overlay(STRANGE_SCALER), "triggers"),
    Fault("no limits, no probes", "kube-score", _in_overlay(UNLIMITED), "CPU limit is not set"),
    Fault("misspelt context", "actionlint", _in_workflow(MISSPELT_CONTEXT), "gitub"),
    Fault("no steps", "actionlint", _in_workflow(WITHOUT_STEPS), "steps"),
    Fault("stranger's text in a script", "zizmor", _in_workflow(INJECTION), "template-injection"),
    Fault("unpinned action", "zizmor", _in_workflow(UNPINNED), "unpinned-uses"),
    Fault("document without a title", "asyncapi", _in_events(lambda document: document["info"].pop("title")), "title"),
    Fault("operation without its channel", "asyncapi", _in_events(_point_nowhere), "nowhere"),
)
