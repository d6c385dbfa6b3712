"""Every state that can be red, read from the code: the parts of a process and what they say, the states of components,
the checks of the doctor, what a container engine and a cluster ask."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import yaml

from pappus.stack.toolchain import GO, JAVA
from shared.contract.access import GROUPS
from tests.documents.markdown import ROOT

NAMED_BY_CALLER: Mapping[str, int | str] = {
    "keep_running": 1,
    "run_in_one_process": "name",
    "run_on_changes": "name",
    "run_reconciler": "name",
    "FollowedFile": 3,
    "FaustApp": 0,
}
"""Functions that report a part whose name they are told, and where the name stands among their arguments."""
REPORTED_BY = {
    "shared/messaging/record_handler.py",
    "shared/runtime/followed_file.py",
    "shared/runtime/process.py",
    "shared/tables/reconciler.py",
    "shared/tables/single_worker.py",
    "shared/faust_app/app.py",
}
"""The modules of those functions: a part without a name of its own may be reported here, and nowhere else."""
UNKNOWN = ""


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def sources() -> list[Path]:
    """Return the modules of the services and of what they share, without the fakes."""
    found = [file for folder in ("services", "shared") for file in sorted((ROOT / folder).rglob("*.py"))]
    return [file for file in found if "testing" not in file.parts]


def calls(file: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree_of(file)) if isinstance(node, ast.Call))


def name_of(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def words(node: ast.expr | None, file: Path) -> str:
    """Return a text of the code; what is filled in stands as `projection <schema>`. UNKNOWN: a parameter."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(
                f"<{name_of(value.value).lower()}>" if isinstance(value, ast.FormattedValue) else words(value, file)
                for value in values
            )
        case ast.Name(id=name):
            return _constant(name, file)
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return _attribute(name, file)
    return UNKNOWN


def _constant(name: str, file: Path) -> str:
    """Return the text of a constant of a module, or of the one that it is imported from."""
    for node in tree_of(file).body:
        if isinstance(node, ast.Assign) and any(name_of(target) == name for target in node.targets):
            return words(node.value, file)
        if isinstance(node, ast.ImportFrom) and node.module and name in [alias.name for alias in node.names]:
            path = ROOT / node.module.replace(".", "/")
            source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            return _constant(name, source) if source.is_file() else UNKNOWN
    return UNKNOWN


def _attribute(name: str, file: Path) -> str:
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == f"self.{name}" for target in node.targets):
            return words(node.value, file)
    return UNKNOWN


def _report(call: ast.Call) -> list[ast.expr] | None:
    """Return the arguments of a report of health: of the call itself, or of one that is made later."""
    functions = [call.func, *call.args]
    for position, function in enumerate(functions):
        if isinstance(function, ast.Attribute) and function.attr == "set" and "health" in ast.unparse(function.value):
            return call.args[position:]
    return None


def reported() -> Iterator[tuple[str, str, str]]:
    """Yield module, part and detail of each report that may be red. A detail or a part that is not written there, but
    comes from elsewhere, is UNKNOWN."""
    for file in sources():
        for arguments in filter(None, map(_report, calls(file))):
            part, ok, detail = [*arguments, None, None][:3]
            if not (isinstance(ok, ast.Constant) and ok.value is True):
                yield str(file.relative_to(ROOT)), words(part, file), words(detail, file)


def named_by_callers() -> set[str]:
    """Return the parts that are named where one of NAMED_BY_CALLER is called."""
    found = set()
    for file in sources():
        for call in calls(file):
            place = NAMED_BY_CALLER.get(name_of(call.func))
            if isinstance(place, int) and len(call.args) > place:
                found.add(words(call.args[place], file))
            found |= {words(keyword.value, file) for keyword in call.keywords if keyword.arg == place}
    return found - {UNKNOWN}


def parts() -> set[str]:
    """Return every part of a process that can be red; the consumer groups are those of the table of rights."""
    return {part for _, part, _ in reported()} - {UNKNOWN} | named_by_callers() | {group.name for group in GROUPS}


def details() -> set[str]:
    """Return the beginning, up to what is filled in, of every detail that is written where it is reported."""
    later = (call for file in sources() for call in calls(file) if name_of(call.func) == "_report_after_delay")
    texts = [detail for _, _, detail in reported()] + [words(call.args[1], Path()) for call in later]
    return {text.partition("<")[0].strip() for text in texts} - {UNKNOWN}


def ended_parts() -> set[str]:
    """Return the parts that are run side by side: one that raises is dead, and ends what runs beside it."""
    runs = (call for file in sources() for call in calls(file) if name_of(call.func) == "run_parts")
    return {keyword.arg for call in runs for keyword in call.keywords if keyword.arg}


def doctors_checks() -> set[str]:
    """Return the names of the checks of `pappus doctor`."""
    file = ROOT / "pappus/stack/doctor.py"
    found = {JAVA.name.title(), GO.name.title()}
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Assign) and name_of(node.targets[0]) == "name":  # Check(name, ...)
            found.add(words(node.value, file))
    for call in calls(file):
        if name_of(call.func) in ("Check", "_once") and call.args:
            found.add(words(call.args[0], file))
        if name_of(call.func) == "_folder":
            found.add(words(call.args[1], file))
    return found - {UNKNOWN}


def container_checks() -> set[str]:
    """Return the services of compose.yaml that a container engine asks for their health."""
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return {name for name, service in services.items() if "healthcheck" in service}


def cluster_checks() -> set[str]:
    """Return what a cluster asks of pods, and what pods wait for: probes, init containers, jobs."""
    found = set()
    for file in sorted((ROOT / "infra/k8s").rglob("*.yaml")):
        text = file.read_text()
        found |= set(re.findall(r"\b(startupProbe|readinessProbe|livenessProbe):", text))
        for document in filter(None, yaml.safe_load_all(text)):
            if isinstance(document, dict) and document.get("kind") == "Job":
                found.add(f"job/{document['metadata']['name']}")
            found |= set(_init_containers(document))
    return found


def _init_containers(document: object) -> Iterator[str]:
    match document:
        case dict():
            for key, value in document.items():
                yield from (each["name"] for each in value) if key == "initContainers" else _init_containers(value)
        case list():
            for each in document:
                yield from _init_containers(each)
