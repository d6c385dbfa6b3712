"""KServe's SDK, as its package index has it, against a replica on sockets.

It runs where `make check-clients` has brought the SDK into the cache. Elsewhere it is skipped.
"""

import hashlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pappus.stack.cache import Cache
from pappus.stack.errors import StackError
from pappus.stack.settings import StackSettings
from services.predictor.api.app import build_app
from services.predictor.api.keys import ApiKey, ApiKeys
from services.predictor.model.readiness import MODEL_PART
from tests.unit.predictor.small_model import picture
from tests.unit.predictor.standards.conftest import LIMIT_BYTES, Replica, on_a_socket, output_of
from tests.unit.predictor.standards.grpc_asking import asking
from tests.unit.predictor.standards.kserve_sdk.environment import SdkEnvironment

KEY = "key-of-the-shop"
Ask = Callable[[str, Replica, ApiKeys], Awaitable[None]]
sdk = pytest.mark.slow


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """What lets the SDK ask its questions of a replica; without the SDK the test is skipped."""
    environment = SdkEnvironment(Cache(StackSettings().cache))
    if environment.missing:
        pytest.skip(environment.missing)
    pictures = [tmp_path / "red.png", tmp_path / "green.png"]
    for file, colour in zip(pictures, ((255, 0, 0), (0, 255, 0)), strict=True):
        file.write_bytes(picture(*colour))

    async def ask_questions(questions: str, replica: Replica, keys: ApiKeys) -> None:
        app = build_app(replica.predictions, replica.health, LIMIT_BYTES, keys=keys)
        async with on_a_socket(app) as port, asking(replica, keys) as asker:
            program = [str(environment.python), "-I", str(Path(__file__).with_name("ask.py"))]
            await output_of(*program, questions, str(port), str(asker.port), *map(str, pictures))

    return ask_questions


@sdk
@pytest.mark.parametrize(("protocol", "images"), [("http", 16), ("grpc", 14)])
async def test_the_sdk_is_answered_as_predict_answers(replica: Replica, ask: Ask, protocol: str, images: int) -> None:
    await ask(protocol, replica, ApiKeys())
    assert len(await replica.logged()) == images


@sdk
async def test_the_sdk_is_told_that_no_model_serves(ask: Ask) -> None:
    await ask("no-model", Replica(needed={MODEL_PART}), ApiKeys())


@sdk
async def test_the_sdk_sends_a_key_in_its_headers(replica: Replica, ask: Ask) -> None:
    keys = ApiKeys()
    keys.set_all([ApiKey(name="shop", sha256=hashlib.sha256(KEY.encode()).hexdigest())])
    await ask("key", replica, keys)
    assert len(await replica.logged()) == 8


def test_other_pins_have_another_environment(tmp_path: Path) -> None:
    pins = tmp_path / "kserve.txt"
    pins.write_text("kserve==0.20.0\n")
    cache = Cache(tmp_path / "cache")
    assert SdkEnvironment(cache, pins).folder != SdkEnvironment(cache).folder
    assert SdkEnvironment(cache).folder in (SdkEnvironment(cache).missing or "")


async def test_an_sdk_that_cannot_be_had_is_one_sentence(tmp_path: Path) -> None:
    pins = tmp_path / "kserve.txt"
    pins.write_text(f"kserve==0.21.0 --hash=sha256:{'0' * 64}\n")
    environment = SdkEnvironment(Cache(tmp_path / "cache"), pins)
    offline = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "UV_OFFLINE": "1"}
    with pytest.raises(StackError, match=r"(?s)KServe's SDK is missing and cannot be had: .*make check-clients"):
        await environment.bring(offline, lambda text: None)
    assert environment.missing
