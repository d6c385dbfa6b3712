"""What is checked of a checkout before it is deployed.

Each check takes the folder of the checkout and the tools, returns what it looked at, and raises when something is wrong
(CheckFailed) or when there is nothing to look at (NothingToCheck).
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import yaml

from tests.deploy import compose_rules, tools
from tests.deploy.schemas import KUBERNETES, schemas
from tests.deploy.tools import Workbench, finish

COMPOSE_MODULE = ("github.com/compose-spec/compose-go/v2", "2.16.2", "schema/compose-spec.json")
SCORE_IGNORES = (
    "container-image-pull-policy",  # our tags are never moved, and a laptop's images are on its node only
    "container-ephemeral-storage-request-and-limit",  # roots are read-only; /tmp has a size limit of its own
    "networkpolicy-targets-pod",  # operators make the pods of Kafka and PostgreSQL, so no manifest here has them
    "container-security-context-user-group-id",  # 10001, as everywhere: kube-score asks for more than 10000 of both
)
LAPTOP_IGNORES = (
    "pod-probes-identical",  # servers of others have one question that says whether they live and are ready
    "statefulset-has-servicename",  # one pod each, found by the name of its service
    "pod-networkpolicy",  # a job of the node; the services' policies are checked in the overlay prod
)
"""For the overlay `local`, whose servers are there for trying things."""
Check = Callable[[Path, Workbench], Awaitable[str]]


class CheckFailed(Exception):
    """Something is wrong with the checkout; the text says what."""


class NothingToCheck(Exception):
    """There is no file of this kind; the text says which."""


def dockerfiles(root: Path) -> list[Path]:
    """Return the Dockerfiles of the checkout."""
    return sorted(file for folder in ("services", "infra") for file in (root / folder).rglob("Dockerfile"))


def overlays(root: Path) -> list[Path]:
    """Return the folders of Kubernetes overlays."""
    return sorted(file.parent for file in root.glob("infra/k8s/overlays/*/kustomization.yaml"))


def compose_files(root: Path) -> list[Path]:
    """Return compose.yaml first and its overrides after it."""
    return sorted(root.glob("compose*.yaml"), key=lambda file: (file.name != "compose.yaml", file.name))


def workflows(root: Path) -> list[Path]:
    """Return the workflows of GitHub Actions."""
    return sorted(root.glob(".github/workflows/*.yml"))


def event_documents(root: Path) -> list[Path]:
    """Return the AsyncAPI document of our events."""
    return sorted(root.glob("docs/asyncapi.json"))


async def check_dockerfiles(root: Path, workbench: Workbench) -> str:
    """hadolint: each Dockerfile is well made, down to its advice."""
    files = _some(dockerfiles(root), "Dockerfile below services or infra")
    hadolint = await workbench.program(tools.HADOLINT)
    _accept(await finish(hadolint, "--failure-threshold", "info", "--config", _hadolint_rules(), *files, folder=root))
    return _counted(files, "Dockerfile")


async def check_compose(root: Path, workbench: Workbench) -> str:
    """The schema of the Compose specification, and our own rules on each file as it would run."""
    files = _some(compose_files(root), "compose.yaml")
    schema = await _compose_schema(workbench)
    healthy = images_with_healthcheck(root)
    wrong: list[str] = []
    below: compose_rules.Model = {}
    for file in files:
        text = file.read_text()
        try:
            model = compose_rules.read(text)
        except yaml.YAMLError as error:
            raise CheckFailed(f"{file.name} is not YAML: {error}") from None
        judged = compose_rules.merged(below, model) if below else model
        below = below or model
        sentences = [
            f"{'/'.join(map(str, e.absolute_path))}: {e.message}"
            for e in schema.iter_errors(compose_rules.plain(model))
        ]
        sentences += compose_rules.default_secrets(text) + compose_rules.complaints(judged, healthy)
        wrong += [f"{file.name}: {sentence}" for sentence in sentences]
    if wrong:
        raise CheckFailed("\n".join(wrong))
    return _counted(files, "file")


async def check_kustomize(root: Path, workbench: Workbench) -> str:
    """kustomize: each overlay can be built."""
    folders = _some(overlays(root), "overlay in infra/k8s/overlays")
    for folder in folders:
        await built(folder, workbench)
    return _counted(folders, "overlay")


async def check_manifests(root: Path, workbench: Workbench) -> str:
    """kubeconform: each manifest says what the schemas of Kubernetes and of the operators allow, and no more."""
    folders = _some(overlays(root), "overlay in infra/k8s/overlays")
    kubeconform = await workbench.program(tools.KUBECONFORM)
    where = f"{await schemas(workbench)}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    options = ("-strict", "-summary", "-schema-location", where, "-kubernetes-version", KUBERNETES)
    for folder in folders:
        _accept(await finish(kubeconform, *options, "-", given=await built(folder, workbench)), folder.name)
    return _counted(folders, "overlay")


async def check_score(root: Path, workbench: Workbench) -> str:
    """kube-score: workloads have probes, limits, a restricted user, a network policy and a disruption budget."""
    folders = _some(overlays(root), "overlay in infra/k8s/overlays")
    kube_score = await workbench.program(tools.KUBE_SCORE)
    for folder in folders:
        names = (*SCORE_IGNORES, *(LAPTOP_IGNORES if folder.name == "local" else ()))
        ignores = [word for name in names for word in ("--ignore-test", name)]
        options = ("--output-format", "ci", "--kubernetes-version", "v1.34", *ignores)
        said = await finish(kube_score, "score", *options, "-", given=await built(folder, workbench))
        critical = [
            line for line in said.output.splitlines() if not line.startswith(("[OK]", "[SKIPPED]", "[WARNING]"))
        ]
        if said.code:
            raise CheckFailed(f"{folder.name}:\n" + "\n".join(critical))
    return _counted(folders, "overlay")


async def check_workflows(root: Path, workbench: Workbench) -> str:
    """actionlint: each workflow is valid, its expressions and scripts too."""
    files = _some(workflows(root), "workflow in .github/workflows")
    actionlint = await workbench.program(tools.ACTIONLINT)
    rules = root / ".github" / "actionlint.yaml"
    options = ("-config-file", rules) if rules.exists() else ()
    _accept(await finish(actionlint, "-shellcheck=", "-pyflakes=", *options, *files, folder=root))
    return _counted(files, "workflow")


async def check_workflow_security(root: Path, workbench: Workbench) -> str:
    """zizmor: workflows are pinned, have few permissions, and run nothing that a stranger wrote."""
    files = _some(workflows(root), "workflow in .github/workflows")
    zizmor = await workbench.program(tools.ZIZMOR)
    _accept(await finish(zizmor, "--offline", "--no-progress", "--quiet", *files, folder=root))
    return _counted(files, "workflow")


async def check_events(root: Path, workbench: Workbench) -> str:
    """The parser of AsyncAPI: the document of our events is valid."""
    files = _some(event_documents(root), "docs/asyncapi.json")
    folder = await workbench.program(tools.ASYNCAPI)
    _accept(await finish("node", Path(__file__).with_name("asyncapi.cjs"), folder, *files))
    return _counted(files, "document")


CHECKS: dict[str, Check] = {
    "hadolint": check_dockerfiles,
    "compose": check_compose,
    "kustomize": check_kustomize,
    "kubeconform": check_manifests,
    "kube-score": check_score,
    "actionlint": check_workflows,
    "zizmor": check_workflow_security,
    "asyncapi": check_events,
}


async def built(overlay: Path, workbench: Workbench) -> str:
    """Return the manifests of an overlay. Raises CheckFailed."""
    kustomize = await workbench.program(tools.KUSTOMIZE)
    said = await finish(kustomize, "build", overlay)
    _accept(said, overlay.name)
    return said.output


def images_with_healthcheck(root: Path) -> frozenset[str]:
    """Return the names of our images whose Dockerfile has a HEALTHCHECK: services/predictor makes pappus/predictor."""
    having = [file for file in dockerfiles(root) if re.search(r"^HEALTHCHECK (?!NONE)", file.read_text(), re.MULTILINE)]
    return frozenset(f"{_namespace(file, root)}/{file.parent.name}" for file in having)


def _namespace(dockerfile: Path, root: Path) -> str:
    return "pappus-offline" if "offline" in dockerfile.relative_to(root).parts else "pappus"


def compose_schema_name() -> str:
    """Return the folder of the cache that holds the schema of compose files."""
    return f"compose-spec-{COMPOSE_MODULE[1]}"


async def _compose_schema(workbench: Workbench) -> Any:
    module, version, inside = COMPOSE_MODULE

    async def fetch(target: Path) -> None:
        tools.copy_files([await workbench.module(module, version) / inside], target)

    folder = await workbench.cache.folder(compose_schema_name(), fetch)
    schema = json.loads(await asyncio.to_thread((folder / Path(inside).name).read_text))
    return jsonschema.validators.validator_for(schema)(schema)


def _hadolint_rules() -> Path:
    return Path(__file__).with_name("hadolint.yaml")


def _some(found: list[Path], what: str) -> list[Path]:
    if not found:
        raise NothingToCheck(f"there is no {what}")
    return found


def _accept(said: tools.Finished, where: str = "") -> None:
    if said.code:
        raise CheckFailed(f"{where}:\n{said.output}" if where else said.output)


def _counted(found: list[Path], what: str) -> str:
    return f"{len(found)} {what}{'' if len(found) == 1 else 's'}"
