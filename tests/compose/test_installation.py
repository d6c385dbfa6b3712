"""What compose.yaml promises: closed containers, a story that survives kill -9 of each, restarts, data that stays."""

import asyncio
import subprocess

import httpx2
import pytest

from shared.testing import eventually

from .installation import STORY, Compose

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1500)]
LONGEST_STORY = 300.0
HEALTHY_SECONDS = 180.0
AS_USER = {"labeler", "ingestor", "trainer", "predictor", "mlflow"}
"""The images of Pappus that stay."""


def test_no_process_is_root_and_no_root_can_be_written(compose: Compose) -> None:
    assert len(compose.services) >= 17
    for service in compose.services:
        host = compose.container(service)["HostConfig"]
        assert all(user != "0" for user, _ in compose.processes(service)), compose.processes(service)
        assert host["CapDrop"] == ["ALL"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        assert host["Memory"] > 0, service
        ours = compose.configuration["services"][service]["image"].removeprefix("pappus/").partition(":")[0] in AS_USER
        if ours:
            assert host["ReadonlyRootfs"], service
            assert {user for user, _ in compose.processes(service)} == {"10001"}, service
            assert compose.image(service)["Config"]["User"] == "10001:10001"


def test_every_port_is_published_on_the_loopback_address_alone(compose: Compose) -> None:
    bindings = [
        (service, binding["HostIp"])
        for service in compose.services
        for each in (compose.container(service)["HostConfig"]["PortBindings"] or {}).values()
        for binding in each
    ]
    assert len(bindings) >= 10
    assert {address for _, address in bindings} == {"127.0.0.1"}


async def test_the_story_ends_right_while_each_container_is_killed(compose: Compose) -> None:
    """One after the other, when the one before is healthy again; a story that has ended is told again for the rest."""
    waiting = list(compose.services)
    while waiting:
        story = compose.start(*STORY, "demo")
        try:
            begun = await asyncio.to_thread(_read_until, story, "installation reached: done")
            told = asyncio.create_task(asyncio.to_thread(story.communicate, timeout=LONGEST_STORY))
            while waiting and not told.done():
                service = waiting.pop(0)
                killed = compose.kill(service)
                await eventually(lambda: compose.process(service) not in (0, killed), HEALTHY_SECONDS)  # noqa: B023
                await eventually(lambda: service not in compose.unhealthy(), HEALTHY_SECONDS)  # noqa: B023
            output, _ = await told
        finally:
            story.kill()
        assert story.returncode == 0, begun + output
    await eventually(lambda: not compose.unhealthy(), HEALTHY_SECONDS)
    assert "The installation works" in compose.tell("smoke")


async def test_each_service_is_as_good_as_before_after_a_restart(compose: Compose) -> None:
    compose.have_a_model()
    for service in compose.services:
        compose.run("restart", service)
        await eventually(lambda: not compose.unhealthy(), HEALTHY_SECONDS)
        compose.tell("smoke")


async def test_all_data_is_there_after_down_and_up(compose: Compose) -> None:
    compose.have_a_model()
    before = _model(compose), compose.tell("history")
    compose.run("down")
    compose.up()
    await eventually(lambda: not compose.unhealthy(), HEALTHY_SECONDS)
    assert (_model(compose), compose.tell("history")) == before


def _model(compose: Compose) -> tuple[str, int, str]:
    """Return version, sequence and hash of the model that the predictor serves."""
    model = httpx2.get(f"http://127.0.0.1:{compose.ports['PREDICTOR']}/model").raise_for_status().json()
    return model["version"], model["sequence"], model["artefact_sha256"]


def _read_until(command: subprocess.Popen[str], words: str) -> str:
    """Return what the command prints up to the line with these words, or to its end."""
    assert command.stdout is not None
    read = ""
    for line in command.stdout:
        read += line
        if words in line:
            break
    return read
