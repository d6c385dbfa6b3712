"""Each check of `make check-deploy` passes the samples, and finds each fault made in a copy of them or of our files.

They run where `make check-deploy` has brought its tools into the cache. Elsewhere they are skipped: it takes minutes.
"""

import os
from pathlib import Path

import pytest

from pappus.stack.cache import Cache
from pappus.stack.errors import StackError
from pappus.stack.folders import PROJECT
from pappus.stack.settings import StackSettings
from tests.deploy import checks, tools
from tests.deploy.broken import FAULTS, Fault, copy_checkout
from tests.deploy.checks import CHECKS, CheckFailed, NothingToCheck
from tests.deploy.schemas import schemas_name
from tests.deploy.tools import Workbench

SAMPLES = Path(__file__).with_name("samples")
NEEDED: dict[str, list[tools.Tool]] = {
    "hadolint": [tools.HADOLINT],
    "compose": [],
    "kustomize": [tools.KUSTOMIZE],
    "kubeconform": [tools.KUSTOMIZE, tools.KUBECONFORM],
    "kube-score": [tools.KUSTOMIZE, tools.KUBE_SCORE],
    "actionlint": [tools.ACTIONLINT],
    "zizmor": [tools.ZIZMOR],
    "asyncapi": [tools.ASYNCAPI],
}
FOLDERS = {"kubeconform": [schemas_name()], "compose": [checks.compose_schema_name()]}


@pytest.fixture
def workbench(request: pytest.FixtureRequest) -> Workbench:
    """The tools of the check that the test names, all of them in the cache; else the test is skipped."""
    named = request.node.callspec.params
    check = named["check"] if "check" in named else named["fault"].check
    cache = Cache(StackSettings().cache)
    wanted = [*(tool.folder for tool in NEEDED[check]), *FOLDERS.get(check, [])]
    if missing := [name for name in wanted if not cache.holds(name)]:
        pytest.skip(f"{', '.join(missing)} not in {cache.root}: run `make check-deploy` once")
    return Workbench(cache, os.environ, print)


@pytest.mark.parametrize("check", CHECKS)
async def test_a_check_passes_the_samples(check: str, workbench: Workbench) -> None:
    assert await CHECKS[check](SAMPLES, workbench)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_broken_copy_of_the_samples_fails(fault: Fault, workbench: Workbench, tmp_path: Path) -> None:
    copy_checkout(SAMPLES, tmp_path)
    fault.make(tmp_path)
    with pytest.raises(CheckFailed, match=fault.complaint):
        await CHECKS[fault.check](tmp_path, workbench)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_broken_copy_of_our_files_fails(fault: Fault, workbench: Workbench, tmp_path: Path) -> None:
    copy_checkout(PROJECT, tmp_path)
    try:
        await CHECKS[fault.check](tmp_path, workbench)
    except NothingToCheck as nothing:
        pytest.skip(str(nothing))
    fault.make(tmp_path)
    with pytest.raises(CheckFailed, match=fault.complaint):
        await CHECKS[fault.check](tmp_path, workbench)


@pytest.mark.parametrize("check", CHECKS)
async def test_an_empty_checkout_has_nothing_to_check(check: str, tmp_path: Path) -> None:
    with pytest.raises(NothingToCheck, match="there is no"):
        await CHECKS[check](tmp_path, Workbench(Cache(tmp_path / "cache"), {}, print))


async def test_a_tool_that_cannot_be_had_is_one_sentence(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GOPROXY": "off"}
    workbench = Workbench(Cache(tmp_path / "cache"), environment, lambda text: None)
    with pytest.raises(StackError, match=r"(?s)actionlint is missing and cannot be had: .*make check-deploy"):
        await workbench.program(tools.ACTIONLINT)
