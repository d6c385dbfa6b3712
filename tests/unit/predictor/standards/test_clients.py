"""The clients that these protocols have, against a replica on a socket."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.http.server import listening, serve_http
from tests.unit.predictor.small_model import picture

from .conftest import Replica
from .grpc_asking import asking

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[4]


@pytest.fixture
async def port(replica: Replica) -> AsyncIterator[int]:
    """The port of a replica with a model."""
    with listening("127.0.0.1", 0, shared=False) as bound:
        bound.listen()
        server = asyncio.create_task(serve_http(replica.app, [bound]))
        yield bound.getsockname()[1]
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)


async def output_of(*command: str, folder: Path = ROOT) -> bytes:
    """Run a program and return what it writes. Raises AssertionError with what it says if it fails."""
    program = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await program.communicate()
    assert program.returncode == 0, errors.decode()
    return output


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
