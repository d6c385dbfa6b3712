"""The script of the workflow `deploy`: what it asks kubectl in which order, and that it undoes a release that fails.

A double stands in for kubectl: it notes each call, and answers as the test says.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from pappus.stack.folders import PROJECT

KUBECTL = """#!/bin/sh
echo "$*" >> "$NOTES"
case "$*" in
  *"get deployments"*) [ -z "$UNREACHABLE" ] || exit 1; echo deployment.apps/gate; echo statefulset.apps/predictor ;;
  *"rollout history"*) echo "REVISION CHANGE-CAUSE"; echo "1 -"; grep -q "^apply" "$NOTES" && echo "2 -" || true ;;
  *"$FAILING"*) exit 1 ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Release:
    """How the script ended: its exit code, what it printed, and the calls of kubectl in order."""

    code: int
    printed: str
    calls: list[str]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that has an overlay and the script, and a kubectl."""
    root = tmp_path / "checkout"
    script = root / "infra" / "delivery" / "release.sh"
    script.parent.mkdir(parents=True)
    script.write_bytes((PROJECT / "infra" / "delivery" / "release.sh").read_bytes())
    (root / "infra" / "k8s" / "overlays" / "local").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o755)
    return root


def release(checkout: Path, overlay: str = "local", tag: str = "1.2.3", **settings: str) -> Release:
    """Run the script with a smoke test that succeeds, unless `settings` say otherwise."""
    notes = checkout.parent / "notes"
    notes.touch()
    path = f"{checkout.parent / 'bin'}:{os.environ['PATH']}"
    environment = {"PATH": path, "NOTES": str(notes), "FAILING": "-", "SMOKE": "echo smoke asked", **settings}
    script = checkout / "infra" / "delivery" / "release.sh"
    ended = subprocess.run(["bash", script, overlay, tag], env=environment, capture_output=True, text=True)
    return Release(ended.returncode, ended.stdout + ended.stderr, notes.read_text().splitlines())


def position(calls: list[str], words: str) -> int:
    """Return where the first call with these words is."""
    return next(number for number, call in enumerate(calls) if words in call)


def test_a_release_applies_waits_and_asks(checkout: Path) -> None:
    done = release(checkout, FAILING="no call")
    assert done.code == 0, done.printed
    assert done.printed.splitlines()[-2:] == ["smoke asked", "1.2.3 runs in pappus."]
    order = ["delete job prepare", "apply --kustomize", "wait job/prepare", "status deployment.apps/gate"]
    assert (places := [position(done.calls, words) for words in order]) == sorted(places)
    assert not any("undo" in call for call in done.calls)


def test_our_images_have_the_tag_while_it_is_applied(checkout: Path, tmp_path: Path) -> None:
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.write_text(KUBECTL + 'case "$*" in apply*) cp "$3/kustomization.yaml" "$NOTES.applied" ;; esac\n')
    assert release(checkout, FAILING="no call", IMAGE_PREFIX="docker.io/someone/pappus-").code == 0
    applied = (tmp_path / "notes.applied").read_text()
    assert "{name: pappus/gate" not in applied
    assert '{name: pappus/predictor, newName: "docker.io/someone/pappus-predictor", newTag: "1.2.3"}' in applied
    assert not (checkout / "infra/k8s/overlays/.release").exists()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"FAILING": "apply"}, "the manifests were refused"),
        ({"FAILING": "wait job"}, "the job `prepare` did not finish"),
        ({"FAILING": "status statefulset.apps/predictor"}, "statefulset.apps/predictor is not ready"),
        ({"FAILING": "no call", "SMOKE": "false"}, "`pappus smoke` says that it does not work"),
    ],
)
def test_a_release_that_fails_is_undone(checkout: Path, settings: dict[str, str], reason: str) -> None:
    done = release(checkout, **settings)
    assert done.code == 1
    assert f"The release of 1.2.3 failed: {reason}" in done.printed
    undone = [call for call in done.calls if "rollout undo" in call]
    assert [call.split()[4:] for call in undone] == [
        ["deployment.apps/gate", "--to-revision", "1"],
        ["statefulset.apps/predictor", "--to-revision", "1"],
    ]


@pytest.mark.parametrize("tag", ["1.2.3; reboot", "$(reboot)", ""])
def test_a_tag_that_is_none_is_refused(checkout: Path, tag: str) -> None:
    done = release(checkout, tag=tag)
    assert (done.code, done.calls) == (2, [])


def test_an_unknown_overlay_is_refused(checkout: Path) -> None:
    done = release(checkout, overlay="nowhere")
    assert (done.code, done.calls) == (2, [])
    assert "There is no infra/k8s/overlays/nowhere." in done.printed


def test_a_cluster_that_does_not_answer_changes_nothing(checkout: Path) -> None:
    done = release(checkout, UNREACHABLE="yes")
    assert done.code == 1
    assert "The cluster does not answer: is KUBECONFIG right?" in done.printed
    assert not any(call.startswith("apply") for call in done.calls)
