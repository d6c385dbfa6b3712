"""The manifests of infra/k8s: what every pod has to have, and that what they name exists. No kubectl is needed."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from pappus.containers.preparation import PreparationSettings
from pappus.stack.credentials import REPLICAS
from pappus.stack.services import ANSWERS, APIS, DATABASE, KAFKA, MLFLOW, OBJECTS_STORE, PREDICTOR, SERVICES, Service
from services.ingestor.settings import IngestorSettings
from services.labeler.settings import LabelerSettings, UiSettings
from services.predictor.settings import PredictorSettings
from services.trainer.full_lane.settings import FullLaneSettings
from services.trainer.full_trigger.settings import FullTriggerSettings
from services.trainer.gate.settings import GateProcessSettings
from services.trainer.recorder.settings import RecorderSettings
from services.trainer.settings import TrainerSettings

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "infra/k8s"
WORKLOADS = ("Deployment", "StatefulSet", "Job")
SETTINGS: dict[str, type[BaseModel]] = {
    "ingestor": IngestorSettings,
    "labeler-api": LabelerSettings,
    "labeler-ui": UiSettings,
    "trainer-fast": TrainerSettings,
    "trainer-gate": GateProcessSettings,
    "trainer-full": FullLaneSettings,
    "trainer-large": FullLaneSettings,
    "trainer-trigger": FullTriggerSettings,
    "trainer-recorder": RecorderSettings,
    "predictor": PredictorSettings,
    "predictor-worker": PredictorSettings,
    "predictor-batches": PredictorSettings,
    "predictor-monitor": PredictorSettings,
    "prepare": PreparationSettings,
}
READ_ELSEWHERE = {"PAPPUS_SECRETS_FOLDER"}
USES = {
    KAFKA: "kafka",
    DATABASE: "postgres",
    ANSWERS: "postgres",
    OBJECTS_STORE: "s3",
    MLFLOW: "mlflow",
    APIS: "apis",
    PREDICTOR: "apis",
}
ASK_THE_INTERNET = {"ingestor", "labeler-api", "predictor-batches"}
"""Images are downloaded from it, and webhooks and callbacks are sent to it."""
Resource = Mapping[str, Any]


@cache
def resources() -> tuple[tuple[Path, Resource], ...]:
    """Return every resource of every file, patches and kustomizations left out."""
    return tuple(
        (file.relative_to(FOLDER), found)
        for file in sorted(FOLDER.rglob("*.yaml"))
        for found in yaml.safe_load_all(file.read_text())
        if isinstance(found, dict) and found.get("apiVersion", "").split("/")[0] != "kustomize.config.k8s.io"
    )


def workloads(*folders: str) -> list[Resource]:
    """Return the workloads below these folders, whole ones, not patches of them."""
    return [
        found
        for file, found in resources()
        if found["kind"] in WORKLOADS and str(file).startswith(folders) and "serviceAccountName" in pod(found)
    ]


def pod(workload: Resource) -> dict[str, Any]:
    """Return the specification of a workload's pods."""
    return dict(workload["spec"]["template"]["spec"])


def containers(workload: Resource) -> list[Any]:
    """Return the containers of a workload, those that run first among them."""
    return [*pod(workload).get("initContainers", []), *pod(workload)["containers"]]


def name(resource: Resource) -> str:
    """Return the name of a resource."""
    return str(resource["metadata"]["name"])


def variables(workload: Resource) -> set[str]:
    """Return the variables that a workload sets itself."""
    return {one["name"] for container in containers(workload) for one in container.get("env", [])}


def common_settings() -> dict[str, str]:
    """Return what every process gets from a ConfigMap, in any overlay."""
    lines = [line for file in FOLDER.rglob("settings.env") for line in file.read_text().splitlines()]
    literals = [
        literal
        for file in FOLDER.rglob("kustomization.yaml")
        for made in yaml.safe_load(file.read_text()).get("configMapGenerator", [])
        for literal in made.get("literals", [])
    ]
    return dict(line.split("=", 1) for line in [*lines, *literals])


OURS = workloads("base", "overlays/local/servers", "components/large-training")
PROCESSES = workloads("base")
by_name = pytest.mark.parametrize("workload", OURS, ids=name)
by_process = pytest.mark.parametrize("workload", PROCESSES, ids=name)


def test_every_process_of_the_local_stack_is_there() -> None:
    local = {re.sub(r"^predictor-api-\d$", "predictor", service.name) for service in SERVICES}
    assert {name(workload) for workload in PROCESSES} == {*local, "prepare"}


@by_name
def test_every_pod_is_restricted(workload: Resource) -> None:
    spec, security = pod(workload), pod(workload)["securityContext"]
    assert security["runAsNonRoot"]
    assert security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not spec["automountServiceAccountToken"]
    assert not spec["enableServiceLinks"]
    for container in containers(workload):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@by_name
def test_every_pod_has_an_account_of_its_own_without_a_token(workload: Resource) -> None:
    [account] = [
        found for _, found in resources() if found["kind"] == "ServiceAccount" and name(found) == name(workload)
    ]
    assert pod(workload)["serviceAccountName"] == name(workload)
    assert account["automountServiceAccountToken"] is False


@by_name
def test_every_container_says_what_it_needs_and_may_take(workload: Resource) -> None:
    for container in containers(workload):
        for kind in ("requests", "limits"):
            assert set(container["resources"][kind]) == {"cpu", "memory", "ephemeral-storage"}


@pytest.mark.parametrize("workload", [one for one in OURS if one["kind"] != "Job"], ids=name)
def test_every_process_is_asked_whether_it_is_well(workload: Resource) -> None:
    [container] = pod(workload)["containers"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["timeoutSeconds"] >= 4


@by_name
def test_every_image_comes_from_a_table_of_images(workload: Resource) -> None:
    for container in containers(workload):
        assert re.fullmatch(r"pappus(-offline)?/[a-z0-9]+:dev", container["image"])
        assert container["imagePullPolicy"] == "IfNotPresent"


@by_process
def test_every_variable_is_a_setting_of_its_process(workload: Resource) -> None:
    fields = {f"PAPPUS_{field.upper()}" for field in SETTINGS[name(workload)].model_fields}
    named = {variable for variable in variables(workload) if variable.startswith("PAPPUS_")}
    assert named - fields - READ_ELSEWHERE == set()


@by_process
def test_secrets_are_looked_for_where_they_are_mounted(workload: Resource) -> None:
    for container in containers(workload):
        folders = [one["value"] for one in container.get("env", []) if one["name"] == "PAPPUS_SECRETS_FOLDER"]
        assert folders == [one["mountPath"] for one in container["volumeMounts"] if one["name"] == "secrets"]


def test_every_common_setting_is_a_setting_of_some_process() -> None:
    fields = {f"PAPPUS_{field.upper()}" for settings in SETTINGS.values() for field in settings.model_fields}
    named = {variable for variable in common_settings() if variable.startswith("PAPPUS_")}
    assert named - fields == set()


@by_process
def test_no_manifest_sets_a_secret(workload: Resource) -> None:
    secret = {
        f"PAPPUS_{field.upper()}"
        for field, info in SETTINGS[name(workload)].model_fields.items()
        if "SecretStr" in str(info.annotation)
    } - {"PAPPUS_DATABASE_URL"}
    assert (variables(workload) | common_settings().keys()) & secret == set()
    for container in containers(workload):
        for variable in container.get("env", []):
            assert not re.search(r"//[^@/]*:[^@/]*@", variable.get("value", ""))


def test_no_file_holds_a_secret_resource() -> None:
    assert [file for file, found in resources() if found["kind"] == "Secret"] == []


def _of_the_local_stack(workload: Resource) -> Service:
    wanted = {name(workload), f"{name(workload)}-api-0"}
    return next(service for service in SERVICES if service.name in wanted)


@pytest.mark.parametrize("workload", [one for one in PROCESSES if name(one) != "prepare"], ids=name)
class TestOneProcess:
    def test_runs_what_the_local_stack_runs(self, workload: Resource) -> None:
        [container] = pod(workload)["containers"]
        assert container["command"] == ["python", "-m", _of_the_local_stack(workload).module]

    def test_may_reach_what_the_local_stack_lets_it_use(self, workload: Resource) -> None:
        labels = workload["spec"]["template"]["metadata"]["labels"]
        uses = {label.removeprefix("pappus/uses-") for label in labels if label.startswith("pappus/uses-")}
        wanted = {USES[use] for use in _of_the_local_stack(workload).uses if use in USES}
        assert uses - {"internet"} == wanted
        assert ("internet" in uses) == (name(workload) in ASK_THE_INTERNET)

    def test_waits_for_its_tables_if_it_has_any(self, workload: Resource) -> None:
        service = _of_the_local_stack(workload)
        waits = [one["command"] for one in pod(workload).get("initContainers", [])]
        command = ["python", "-m", "shared.tables.wait_until_prepared", service.owner]
        assert waits == ([command] if DATABASE in service.uses else [])

    def test_logs_in_as_its_service(self, workload: Resource) -> None:
        owner, found = _of_the_local_stack(workload).owner, variables(workload)
        values = {one["name"]: one.get("value") for one in pod(workload)["containers"][0].get("env", [])}
        if "PAPPUS_DATABASE_URL" in found:
            role = REPLICAS if ANSWERS in _of_the_local_stack(workload).uses else owner
            assert values["PAPPUS_DATABASE_URL"] == f"postgresql://{role}@$(DATABASE_SERVER)/pappus"
        assert values.get("PAPPUS_KAFKA_USERNAME", owner) == owner


def test_a_large_training_is_the_full_lane_under_torchrun_and_ends() -> None:
    [job], [lane] = workloads("components/large-training"), [one for one in PROCESSES if name(one) == "trainer-full"]
    [large], [usual] = pod(job)["containers"], pod(lane)["containers"]
    torchrun = ["python", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    assert large["command"] == [*torchrun, *usual["command"][1:]]
    own = {one["name"]: one["value"] for one in large["env"] if one not in usual["env"]}
    assert own == {"PAPPUS_BACKBONE": "patches+cnn", "PAPPUS_TRAININGS": "1"}
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in (job, lane)]
    uses = [{label for label in found if label.startswith("pappus/uses-")} for found in labels]
    assert uses[0] == uses[1]


class TestPredictor:
    """What keeps predictions going."""

    def found(self) -> Resource:
        return next(workload for workload in PROCESSES if name(workload) == "predictor")

    def test_has_replicas_with_volumes_of_their_own(self) -> None:
        spec = self.found()["spec"]
        assert spec["replicas"] >= 2
        assert [claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]] == ["state"]

    def test_is_ready_with_a_model_and_live_without(self) -> None:
        [container] = pod(self.found())["containers"]
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "health"}
        assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "health"}

    def test_is_forgotten_by_proxies_before_it_drains(self) -> None:
        [container] = pod(self.found())["containers"]
        pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pause >= 5
        assert pod(self.found())["terminationGracePeriodSeconds"] > pause + 9

    def test_loses_one_replica_at_a_time(self) -> None:
        budgets = {name(found): found["spec"] for _, found in resources() if found["kind"] == "PodDisruptionBudget"}
        assert budgets["predictor"]["maxUnavailable"] == 1
        assert {one["topologyKey"] for one in pod(self.found())["topologySpreadConstraints"]} >= {
            "kubernetes.io/hostname"
        }


def test_only_groups_that_commit_are_scaled_by_lag() -> None:
    scaled = [found["spec"] for _, found in resources() if found["kind"] == "ScaledObject"]
    triggers = [trigger for one in scaled for trigger in one["triggers"]]
    groups = {trigger["metadata"]["consumerGroup"] for trigger in triggers}
    assert groups == {"ingestor-fetcher", "ingestor-uploads", "predictor-worker", "predictor-batches"}
    assert {trigger["metadata"]["offsetResetPolicy"] for trigger in triggers} == {"earliest"}
    assert all(one["minReplicaCount"] >= 1 for one in scaled)


def test_namespaces_refuse_pods_that_are_not_restricted() -> None:
    [namespace] = [found for file, found in resources() if found["kind"] == "Namespace" and file.parts[0] == "base"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def _policies() -> Iterator[Resource]:
    return (found for file, found in resources() if file.match("components/network-policies/*.yaml"))


def test_every_use_has_a_policy_and_every_policy_a_use() -> None:
    selected = {label for found in _policies() for label in found["spec"]["podSelector"].get("matchLabels", {})}
    used = {
        label
        for workload in OURS
        for label in workload["spec"]["template"]["metadata"]["labels"]
        if label.startswith("pappus/")
    }
    assert selected == used


def test_what_asks_the_internet_reaches_no_private_address() -> None:
    [policy] = [found for found in _policies() if found["metadata"]["name"] == "to-internet"]
    [rule] = policy["spec"]["egress"]
    blocks = [target["ipBlock"] for target in rule["to"]]
    refused = {ip_network(each) for block in blocks for each in block["except"]}
    assert {block["cidr"] for block in blocks} == {"0.0.0.0/0", "::/0"}
    for address in ("10.1.2.3", "172.16.0.1", "192.168.7.7", "169.254.169.254", "127.0.0.1", "fd00::1", "fe80::1"):
        assert any(ip_address(address) in network for network in refused), address
