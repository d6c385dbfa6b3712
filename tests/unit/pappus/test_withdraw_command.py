"""`pappus withdraw`, with an API that answers as a test wants."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner, Result

from pappus.cli import app
from pappus.stack.credentials import Credentials
from pappus.stack.folders import StateFolder
from shared.clients.answers import ImageView, WithdrawalView
from shared.clients.withdrawals import Withdrawal
from shared.testing.events import NOON

from .api_answers import session
from .conftest import FakeApis

IMAGE = UUID(int=1)
ASKED = f"POST /images/{IMAGE}/withdraw"
Call = Callable[..., Result]
DONE = Withdrawal(
    image_id=IMAGE,
    event_id=UUID(int=2),
    withdrawn_by="olga",
    reason="The owner asks for it.",
    withdrawn_at=NOON,
    seen_by=[f"full-{number}" for number in range(12)],
    held_by=["fast-1"],
    serving="fast-1",
)


def image(**changes: Any) -> dict[str, Any]:
    needed = [name for name, field in ImageView.model_fields.items() if field.is_required()]
    values = dict.fromkeys(needed) | {"image_id": IMAGE, "state": "stored", "revision": 0, "trust": "seed"}
    values |= {"source": "upload", "attempt": 1, **changes}
    return ImageView.model_validate(values).model_dump(mode="json")


@pytest.fixture
def call(apis: FakeApis, state: StateFolder) -> Call:
    Credentials.load_or_create(state)
    apis.answers["POST /login"] = (200, lambda _: session() | {"role": "operator"})
    apis.answers[f"GET /images/{IMAGE}"] = (200, image())
    apis.answers[ASKED] = (200, DONE.model_dump(mode="json"))

    def invoke(*arguments: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(app, ["withdraw", str(IMAGE), *arguments, "--state", str(state.root)], input=typed)

    return invoke


def test_it_asks_first_and_names_the_models_that_saw_it(apis: FakeApis, call: Call) -> None:
    refused = call("--reason", DONE.reason, typed="n\n")
    assert (refused.exit_code, ASKED in apis.requests) == (1, False)
    done = call("--reason", DONE.reason, typed="y\n")
    assert done.exit_code == 0, done.output
    said = " ".join(done.stdout.split())
    assert "It was withdrawn by olga" in said
    assert "full-9, and 2 more." in said
    assert "Models that hold a correction of it: fast-1." in said
    assert json.loads(apis.bodies[apis.requests.index(ASKED)]) == {"reason": DONE.reason}


def test_it_needs_a_reason_and_asks_nothing_of_a_program(apis: FakeApis, call: Call) -> None:
    assert "--reason" in call("--yes").stderr
    assert "give --yes" in call("--json", "--reason", "why").stderr
    assert ASKED not in apis.requests
    document = json.loads(call("--json", "--yes", "--reason", "why").stdout)
    assert (document["outcome"], document["serving"]) == ("withdrawn", "fast-1")


def test_a_second_time_asks_nothing_and_says_the_same(apis: FakeApis, call: Call) -> None:
    view = WithdrawalView(withdrawn_by="olga", reason=DONE.reason, withdrawn_at=NOON)
    apis.answers[f"GET /images/{IMAGE}"] = (200, image(state="withdrawn", withdrawal=view))
    again = call("--reason", "another")
    assert again.exit_code == 0, again.output
    assert DONE.reason in " ".join(again.stdout.split())
