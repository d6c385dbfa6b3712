"""Each privileged act leaves a line in the audit log: who, what, on what, from where, with which outcome."""

import asyncio
import json
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.labeler.accounts.users import Users
from services.labeler.accounts.users_file import read_users
from services.labeler.api.app import follow_users
from shared.contract.events import PromotionRequested
from shared.testing import (
    FixedClock,
    eventually,
    image_stored,
    model_promoted,
    model_rejected,
    model_trained,
)

from .conftest import PASSWORDS, Labeler

HERE = "127.0.0.1"  # where the test's clients come from
Lines = list[MutableMapping[str, Any]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What is logged during a test."""
    with capture_logs() as captured:
        yield captured


def audited(lines: Lines) -> list[tuple[str | None, ...]]:
    """Return (act, who, on, address, outcome) of each line of the audit log."""
    fields = ("act", "who", "on", "address", "outcome")
    return [tuple(line[field] for field in fields) for line in lines if line["event"] == "audit"]


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("name", "password", "line"),
    [
        ("olga", PASSWORDS["olga"], ("log_in", "olga", None, HERE, "let_in")),
        ("olga", "my own phrase", ("log_in", "olga", None, HERE, "wrong_password")),
        ("my secret word", "my own phrase", ("log_in", None, None, HERE, "unknown_name")),
    ],
)
async def test_logins_right_and_wrong(
    labeler: Labeler, lines: Lines, name: str, password: str, line: tuple[str | None, ...]
) -> None:
    async with labeler.client() as client:
        await client.post("/login", json={"name": name, "password": password})
    assert audited(lines) == [line]
    written = json.dumps(lines, default=str)
    assert password not in written
    assert "my secret word" not in written


ACTS = [("rollback", "old"), ("approve", "old"), ("override", "old"), ("freeze", None), ("unfreeze", None)]


@pytest.mark.parametrize(("action", "version"), ACTS)
@pytest.mark.parametrize("granted", [True, False])
async def test_each_request_to_the_gate(
    labeler: Labeler, lines: Lines, action: str, version: str | None, granted: bool
) -> None:
    await labeler.publish(model_trained(version="old"))
    body = {"reason": "because"} | ({"version": version} if version else {})
    async with labeler.client("olga") as client:
        asking = asyncio.ensure_future(client.post(f"/models/{action}", json=body))
        [event] = await eventually(lambda: labeler.event_log.events(PromotionRequested))
        answers = event.event_id
        await labeler.publish(
            model_promoted(version="old", sequence=1, answers=answers)
            if granted
            else model_rejected(version=version, answers=answers, summary="No.")
        )
        assert (await asking).status_code == 200
    assert audited(lines) == [(action, "olga", version, HERE, "promoted" if granted else "rejected")]


@pytest.mark.parametrize(("path", "act"), [*((f"/models/{act}", act) for act, _ in ACTS), ("/trainings", "train")])
async def test_an_attempt_without_the_role(labeler: Labeler, lines: Lines, path: str, act: str) -> None:
    async with labeler.client("anna") as client:
        answer = await client.post(path, json={"reason": "because", "version": "old"})
    assert answer.status_code == 403
    assert audited(lines) == [(act, "anna", None, HERE, "forbidden")]


async def test_a_request_about_an_unknown_model(labeler: Labeler, lines: Lines) -> None:
    async with labeler.client("olga") as client:
        await client.post("/models/rollback", json={"reason": "because", "version": "x"})
    assert audited(lines) == [("rollback", "olga", "x", HERE, "model_unknown")]


async def test_a_training_request(labeler: Labeler, lines: Lines) -> None:
    async with labeler.client("olga") as client:
        await client.post("/trainings", json={"reason": "new camera"})
    assert audited(lines) == [("train", "olga", "plants", HERE, "accepted")]


async def test_a_request_while_the_log_is_away(labeler: Labeler, lines: Lines) -> None:
    labeler.event_log.away = True
    async with labeler.client("olga") as client:
        assert (await client.post("/models/freeze", json={"reason": "because"})).status_code == 503
    assert audited(lines) == [("freeze", "olga", None, HERE, "unavailable")]


async def test_a_withdrawal_and_no_plain_correction(labeler: Labeler, lines: Lines) -> None:
    image = image_stored(label=None)
    await labeler.publish(image)
    await labeler.correct("anna", image.image_id, "grass", 0)
    body = {"label": None, "no_label": "withdrawn", "revision": 1}
    async with labeler.client("berta") as client:
        for outcome in ("applied", "superseded"):
            await client.post(f"/images/{image.image_id}/label", json=body)
            assert audited(lines)[-1] == ("withdraw", "berta", str(image.image_id), HERE, outcome)
    assert len(audited(lines)) == 2


async def test_a_webhook_is_added_and_removed(labeler: Labeler, lines: Lines) -> None:
    async with labeler.client("olga") as client:
        made = await client.post("/webhooks", json={"url": "https://example.org/hook?token=secret"})
        await client.post("/webhooks", json={"url": "http://[::1/"})
        webhook = made.json()["webhook_id"]
        await client.delete(f"/webhooks/{webhook}")
    assert audited(lines) == [
        ("add_webhook", "olga", "https://example.org", HERE, "done"),
        ("add_webhook", "olga", "", HERE, "address_forbidden"),
        ("remove_webhook", "olga", webhook, HERE, "done"),
    ]


def write_change(users_file: Path, change: dict[str, Any]) -> None:
    """Change one entry of the file, add it, or remove it: then it has no role."""
    entries = {entry["name"]: entry for entry in json.loads(users_file.read_bytes())}
    entries[change["name"]] = {**entries.get(change["name"], {}), **change}
    users_file.write_text(json.dumps([entry for entry in entries.values() if entry["role"]]))


def users_line(act: str, on: str, outcome: str = "done") -> tuple[str | None, ...]:
    return (act, "the users file", on, None, outcome)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"name": "nina", "role": "labeler", "password": "nina's password"}, users_line("add_user", "nina", "labeler")),
        ({"name": "anna", "role": "operator"}, users_line("change_role", "anna", "operator")),
        ({"name": "anna", "password": "another password"}, users_line("change_password", "anna")),
        ({"name": "anna", "sessions_from": "2040-01-01T00:00:00Z"}, users_line("log_out", "anna")),
        ({"name": "anna", "role": None}, users_line("remove_user", "anna")),
    ],
)
async def test_changes_of_users(
    labeler: Labeler, users_file: Path, change: dict[str, Any], line: tuple[str | None, ...], lines: Lines
) -> None:
    users: Users = labeler.app.state.service.users
    await users.set_all(read_users(users_file), FixedClock()())
    lines.clear()
    write_change(users_file, change)
    followed = follow_users(users_file, users, labeler.health, labeler.clock)
    await followed.look()
    assert audited(lines) == [line]
    await users.set_all(read_users(users_file), labeler.clock())
    assert len(audited(lines)) == 1
    assert change.get("password", "anna's password") not in str(lines)
