"""What tests run on, and what is said where containers cannot start."""

import gc

import docker  # type: ignore[import-untyped]
import docker.errors  # type: ignore[import-untyped]
import pytest
from pydantic import ValidationError

from tests.containers import missing
from tests.server_forms import ServerSettings


def test_the_tests_run_without_docker_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAPPUS_TEST_SERVERS", raising=False)
    assert ServerSettings().servers == "local"


def test_images_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPPUS_TEST_SERVERS", "containers")
    monkeypatch.setenv("PAPPUS_TEST_IMAGE_KAFKA", "pappus-offline/kafka:dev")
    settings = ServerSettings()
    assert (settings.servers, settings.image_kafka) == ("containers", "pappus-offline/kafka:dev")


def test_an_unknown_form_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPPUS_TEST_SERVERS", "cloud")
    with pytest.raises(ValidationError, match="'local' or 'containers'"):
        ServerSettings()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the client leaves its socket open
def test_a_machine_without_an_engine_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    lack = missing(ServerSettings())
    gc.collect()
    assert lack is not None
    assert lack.startswith("No Docker engine answers: start one, or say in DOCKER_HOST where it is")


class EngineWithoutRegistry:
    """An engine that has one image and can pull none."""

    images: "EngineWithoutRegistry"

    def __init__(self) -> None:
        self.images = self

    def get(self, image: str) -> None:
        if image != "apache/kafka:4.3.1":
            raise docker.errors.ImageNotFound("no such image")

    def close(self) -> None:
        """Close nothing."""

    def pull(self, image: str) -> None:
        raise docker.errors.APIError("failed", explanation="no route to the registry")


def test_an_image_that_cannot_be_had_names_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "from_env", EngineWithoutRegistry)
    lack = missing(ServerSettings(image_kafka="apache/kafka:4.3.1", image_postgres="example/postgres:1"))
    assert lack is not None
    assert "example/postgres:1 is not on this machine and cannot be pulled (no route to the registry)" in lack
    assert "PAPPUS_TEST_IMAGE_POSTGRES" in lack
