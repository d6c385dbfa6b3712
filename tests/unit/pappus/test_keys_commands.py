"""`pappus keys`: the file of API keys, as a person changes it."""

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pappus.cli import app
from pappus.stack.cache import Cache
from pappus.stack.context import StackContext
from pappus.stack.credentials import Credentials
from pappus.stack.folders import StateFolder
from pappus.stack.services import SERVICES, service_component, service_environment
from services.predictor.api.keys import read_keys

BY_NAME = {service.name: service for service in SERVICES}


@pytest.fixture(autouse=True)
def stack(state: StateFolder) -> None:
    """A stack that was started once."""
    Credentials.load_or_create(state)


def keys(state: StateFolder, *words: str, fails: bool = False) -> str:
    """Run a command and return what it printed."""
    result = CliRunner().invoke(app, ["keys", *words, "--state", str(state.root)])
    assert result.exit_code == int(fails), result.output
    return result.stderr if fails else result.stdout


def test_a_key_is_shown_once_and_only_its_hash_is_kept(state: StateFolder) -> None:
    key = keys(state, "add", "shop", "--per-minute", "60").split()[-1]
    [shop] = [each for each in read_keys(state.api_keys) if each.name == "shop"]
    assert (shop.sha256, shop.per_minute) == (hashlib.sha256(key.encode()).hexdigest(), 60)
    assert len(key) > 40
    assert key not in state.api_keys.read_text() + keys(state, "ls")
    assert "shop" in keys(state, "ls")
    assert state.api_keys.stat().st_mode & 0o777 == 0o600


def test_the_first_key_says_from_when_on_keys_are_asked_for(state: StateFolder) -> None:
    assert "without one" in keys(state, "ls")
    assert "pappus up" in keys(state, "add", "shop")
    assert "pappus up" not in keys(state, "add", "camera")


def test_the_pages_and_the_command_have_keys_of_their_own(state: StateFolder) -> None:
    keys(state, "add", "shop")
    own = Credentials.load_or_create(state).predictor_keys
    known = {each.name: each.sha256 for each in read_keys(state.api_keys)}
    assert {name: hashlib.sha256(key.encode()).hexdigest() for name, key in own.items()}.items() <= known.items()
    for name in own:
        assert "it stays" in keys(state, "remove", name, fails=True)


def test_a_removed_key_is_gone_and_the_others_stay(state: StateFolder) -> None:
    keys(state, "add", "shop")
    keys(state, "add", "camera")
    keys(state, "remove", "shop")
    assert {each.name for each in read_keys(state.api_keys)} == {"camera", "labeler-ui", "pappus"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("add", "shop"), "is a key shop already"),
        (("add", "a b"), "A-Z a-z 0-9"),
        (("remove", "eve"), "The keys are: labeler-ui, pappus, shop."),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(state: StateFolder, words: tuple[str, ...], sentence: str) -> None:
    keys(state, "add", "shop")
    before = state.api_keys.read_bytes()
    assert sentence in keys(state, *words, fails=True).replace("There is", "is").replace("\n", " ")
    assert state.api_keys.read_bytes() == before


def test_before_the_first_key_there_is_none_to_remove(state: StateFolder) -> None:
    assert "pappus keys add" in keys(state, "remove", "shop", fails=True)
    assert not state.api_keys.exists()


def test_a_broken_file_of_keys_is_named_and_kept(state: StateFolder) -> None:
    state.api_keys.write_text("[{")
    assert "api-keys.json is no list of keys" in keys(state, "add", "shop", fails=True).replace("\n", " ")
    assert state.api_keys.read_text() == "[{"


def test_a_state_of_an_earlier_release_gets_keys_that_last(state: StateFolder) -> None:
    earlier = json.loads(state.credentials.read_text())
    del earlier["predictor_keys"]
    state.credentials.write_text(json.dumps(earlier))
    made = Credentials.load_or_create(state).predictor_keys
    assert Credentials.load_or_create(state).predictor_keys == made


def test_replicas_get_the_file_once_it_is_there_and_restart_for_it(state: StateFolder) -> None:
    context = StackContext.load(state, Cache(Path("unused")), {"PAPPUS_API_KEYS_FILE": "/of/the/caller"})
    replica = BY_NAME["predictor-api-0"]
    before = service_component(replica, context)
    assert "PAPPUS_API_KEYS_FILE" not in service_environment(replica, context)
    keys(state, "add", "shop")
    assert service_environment(replica, context)["PAPPUS_API_KEYS_FILE"] == str(state.api_keys)
    assert service_component(replica, context).config_hash != before.config_hash
    pages = service_environment(BY_NAME["labeler-ui"], context)
    assert pages["PAPPUS_PREDICTOR_KEY"] == context.credentials.predictor_keys["labeler-ui"]
