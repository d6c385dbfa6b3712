"""The clients that these protocols have, against a replica on a socket."""

import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.predictor.small_model import picture

from .conftest import Replica, on_a_socket, output_of
from .grpc_asking import asking

pytestmark = pytest.mark.slow


@pytest.fixture
async def port(replica: Replica) -> AsyncIterator[int]:
    """The port of a replica with a model."""
    async with on_a_socket(replica.app) as bound:
        yield bound


@pytest.mark.parametrize("client", ["triton", "mlflow"])
async def test_the_client_of_another_server_is_answered(port: int, replica: Replica, client: str) -> None:
    await output_of(sys.executable, "-m", f"tests.unit.predictor.standards.ask_with_{client}", str(port))
    assert len(await replica.logged()) == 6


async def test_the_client_of_triton_is_answered_over_grpc(replica: Replica) -> None:
    async with asking(replica) as asker:
        await output_of(sys.executable, "-m", "tests.unit.predictor.standards.ask_with_triton_grpc", str(asker.port))
    assert len(await replica.logged()) == 6


async def test_curl_sends_a_form_or_a_file_as_it_is(port: int, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed.")
    (tmp_path / "red.png").write_bytes(picture(255, 0, 0))
    for further in (
        ("-F", "file=@red.png", f"http://127.0.0.1:{port}/predict"),
        ("--data-binary", "@red.png", "-H", "Content-Type: image/png", f"http://127.0.0.1:{port}/invocations"),
    ):
        assert b'"label":"dandelion"' in await output_of(curl, "-sSf", *further, folder=tmp_path)
