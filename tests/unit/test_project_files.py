"""The files that editors, hooks and continuous integration read: they parse, and they name what exists."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pappus.stack.services import SERVICES

PROJECT = Path(__file__).resolve().parents[2]
JSON_FILES = sorted([*PROJECT.glob(".vscode/*.json"), *PROJECT.glob(".devcontainer/*.json")])
YAML_FILES = sorted([*PROJECT.glob(".github/**/*.yml"), PROJECT / ".pre-commit-config.yaml"])
WORKFLOWS = sorted(PROJECT.glob(".github/workflows/*.yml"))
PINNED_ACTION = re.compile(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def read_json(name: str) -> Any:
    return json.loads((PROJECT / name).read_text())


def read_yaml(name: str) -> Any:
    return yaml.safe_load((PROJECT / name).read_text())


def relative(file: Path) -> str:
    return str(file.relative_to(PROJECT))


@pytest.mark.parametrize("file", JSON_FILES, ids=relative)
def test_an_editor_file_is_valid_json(file: Path) -> None:
    assert json.loads(file.read_text())


@pytest.mark.parametrize("file", YAML_FILES, ids=relative)
def test_a_workflow_or_hook_file_is_valid_yaml(file: Path) -> None:
    assert yaml.safe_load(file.read_text())


def test_every_service_has_a_launch_entry_with_its_module() -> None:
    entries = {entry["name"]: entry["module"] for entry in read_json(".vscode/launch.json")["configurations"]}
    assert {service.name: service.module for service in SERVICES}.items() <= entries.items()


def test_every_task_a_launch_entry_names_exists() -> None:
    tasks = {task["label"] for task in read_json(".vscode/tasks.json")["tasks"]}
    entries = read_json(".vscode/launch.json")["configurations"]
    named = {entry[key] for entry in entries for key in ("preLaunchTask", "postDebugTask") if key in entry}
    assert named
    assert named <= tasks


def test_the_task_before_a_launch_writes_the_env_file_it_reads() -> None:
    commands = {task["label"]: task["command"] for task in read_json(".vscode/tasks.json")["tasks"]}
    for entry in read_json(".vscode/launch.json")["configurations"]:
        if "envFile" in entry:
            written = entry["envFile"].removeprefix("${workspaceFolder}/")
            assert f"pappus env {entry['name']} --file {written}" in commands[entry["preLaunchTask"]]


@pytest.mark.parametrize("file", WORKFLOWS, ids=relative)
def test_every_action_is_pinned_by_commit_with_its_version(file: Path) -> None:
    used = [line for line in file.read_text().splitlines() if "uses:" in line]
    assert used
    assert [line for line in used if not PINNED_ACTION.search(line)] == []


def test_continuous_integration_covers_each_promised_python() -> None:
    jobs = read_yaml(".github/workflows/ci.yml")["jobs"]
    assert {name: job["strategy"]["matrix"]["python"] for name, job in jobs.items() if "strategy" in job} == {
        "check": ["3.11", "3.12"],
        "test": ["3.11", "3.12"],
    }


def test_every_hook_runs_from_the_projects_environment() -> None:
    hooks = [hook for repo in read_yaml(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    assert [hook["id"] for hook in hooks] == ["ruff", "ruff-format", "lint-imports"]
    assert all(hook["entry"].startswith(".venv/bin/") for hook in hooks)


def test_a_checking_job_can_be_moved_to_a_runner_of_ones_own() -> None:
    jobs = [job for name in ("ci", "nightly") for job in read_yaml(f".github/workflows/{name}.yml")["jobs"].values()]
    assert {job["runs-on"] for job in jobs} == {"${{ vars.RUNNER || 'ubuntu-24.04' }}"}


def test_images_are_pushed_only_where_a_namespace_is_set() -> None:
    jobs = read_yaml(".github/workflows/images.yml")["jobs"].values()
    pushing = [job for job in jobs if any((step.get("with") or {}).get("push") is True for step in job["steps"])]
    assert pushing
    assert all("vars.DOCKERHUB_NAMESPACE != ''" in job["if"] for job in pushing)
    assert all("!github.event.repository.fork" in job["if"] for job in pushing)
