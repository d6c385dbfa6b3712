"""What a first start fetches is said before it begins; later starts say nothing."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pappus.cli import app
from pappus.stack import Stack, kafka, s3
from pappus.stack.cache import Cache
from pappus.stack.downloads import announcement, missing_downloads
from pappus.stack.folders import StateFolder
from pappus.stack.status import StackStatus
from pappus.stack.supervisor_process import SupervisorProcess
from pappus.stack.toolchain import GO, JAVA

NOTHING = {"PATH": "/nothing"}


async def titles(cache: Cache) -> list[str]:
    return [each.title for each in await missing_downloads(cache, NOTHING)]


async def test_a_bare_machine_lacks_everything(tmp_path: Path) -> None:
    assert await titles(Cache(tmp_path)) == [JAVA.title, "Kafka's jars", GO.title, "the S3 server, built from source"]


async def test_what_is_in_the_cache_is_not_missing(tmp_path: Path) -> None:
    for name in (JAVA.cached, kafka.jars_name(), s3.NAME):
        (tmp_path / name).mkdir()
    assert await titles(Cache(tmp_path)) == []


async def test_the_announcement_adds_up_sizes_and_minutes(tmp_path: Path) -> None:
    (tmp_path / s3.NAME).mkdir()
    cache = Cache(tmp_path)
    text = announcement(await missing_downloads(cache, NOTHING), cache)
    assert "a Java runtime, Kafka's jars: 92 MB to fetch" in text
    assert f"230 MB in {tmp_path}" in text
    assert text.endswith("about a minute, once.")


@pytest.mark.parametrize("there", [False, True])
def test_up_says_it_before_it_starts(
    state: StateFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    monkeypatch.setenv("PAPPUS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "/nothing")
    monkeypatch.setattr(SupervisorProcess, "request", lambda *_: None)
    monkeypatch.setattr(Stack, "_wait_until_ready", lambda *_: StackStatus(state="", credentials="", users=""))
    for name in (JAVA.cached, kafka.jars_name(), s3.NAME) if there else ():
        (tmp_path / "cache" / name).mkdir(parents=True)
    shown = CliRunner().invoke(app, ["up", "--state", str(state.root)]).output
    assert shown.startswith("The first start brings a Java runtime, ") != there
