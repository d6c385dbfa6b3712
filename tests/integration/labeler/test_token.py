"""The login by a form of OAuth 2.0: another way to the same session, through the same checks."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from services.labeler.accounts.logins import NAME_FAILURES
from services.labeler.accounts.users import Users
from services.labeler.accounts.users_file import read_users
from services.labeler.settings import LabelerSettings
from services.labeler.ui.sessions import cookie
from shared.clients.answers import Session
from shared.testing import image_stored

from .conftest import PASSWORDS, Labeler

pytestmark = pytest.mark.usefixtures("people")


async def ask(labeler: Labeler, name: str, password: str, **changes: str) -> httpx2.Response:
    """Send the form as the button of the page does."""
    form = {"grant_type": "password", "scope": "", "username": name, "password": password, **changes}
    async with labeler.client() as client:
        return await client.post("/token", data=form, headers={"Authorization": "Basic Og=="})


def log_out(name: str, now: datetime, users_file: Path) -> None:
    """End the sessions of a user, as `pappus users logout` does."""
    entries = json.loads(users_file.read_bytes())
    ended = [{**entry, "sessions_from": now.isoformat()} if entry["name"] == name else entry for entry in entries]
    users_file.write_text(json.dumps(ended))


async def test_the_token_opens_what_a_login_opens_and_expires(labeler: Labeler, settings: LabelerSettings) -> None:
    answer = await ask(labeler, "olga", PASSWORDS["olga"])
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("bearer", settings.session_hours * 3600)
    labeler.tokens["olga"] = body["access_token"]

    async with labeler.client("olga") as client:
        training = await client.post("/trainings", json={"reason": "new camera"})
        labeler.clock.move(timedelta(hours=settings.session_hours).total_seconds())
        ended = await client.get("/labels")

    assert training.status_code == 202
    assert (ended.status_code, ended.json()["detail"]) == (401, "The session has ended. Log in again.")


async def test_the_token_has_the_role_of_its_user(labeler: Labeler) -> None:
    labeler.tokens["anna"] = (await ask(labeler, "anna", PASSWORDS["anna"])).json()["access_token"]
    async with labeler.client("anna") as client:
        refused = await client.post("/trainings", json={"reason": "new camera"})
    assert (refused.status_code, refused.json()["error"]) == (403, "forbidden")


async def test_a_log_out_ends_the_token(labeler: Labeler, users_file: Path) -> None:
    labeler.tokens["anna"] = (await ask(labeler, "anna", PASSWORDS["anna"])).json()["access_token"]
    labeler.clock.move(60)
    log_out("anna", labeler.clock(), users_file)
    users: Users = labeler.app.state.service.users
    await users.set_all(read_users(users_file), labeler.clock())
    async with labeler.client("anna") as client:
        answer = await client.get("/labels")
    assert (answer.status_code, answer.json()["detail"]) == (401, "This session was ended. Log in again.")


@pytest.mark.parametrize(("name", "password"), [("anna", "wrong"), ("unknown", PASSWORDS["anna"])])
async def test_a_wrong_name_or_password_is_an_invalid_grant(labeler: Labeler, name: str, password: str) -> None:
    answer = await ask(labeler, name, password)

    detail = "The name or the password is wrong. Check both and try again."
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    body = answer.json()
    assert (body["error"], body["error_description"], body["detail"]) == ("invalid_grant", detail, detail)


async def test_wrong_tries_count_for_both_ways_to_log_in(labeler: Labeler) -> None:
    for _ in range(NAME_FAILURES):
        assert (await ask(labeler, "anna", "wrong")).status_code == 400

    refused = await ask(labeler, "anna", PASSWORDS["anna"])
    async with labeler.client() as client:
        by_json = await client.post("/login", json={"name": "anna", "password": PASSWORDS["anna"]})

    assert (refused.status_code, refused.json()["error"]) == (429, "too_many_logins")
    assert refused.json()["error_description"].startswith("Too many logins were tried.")
    assert int(refused.headers["retry-after"]) > 0
    assert by_json.status_code == 429


@pytest.mark.parametrize(
    ("name", "password", "line"),
    [
        ("olga", PASSWORDS["olga"], ("olga", "let_in")),
        ("olga", "my own phrase", ("olga", "wrong_password")),
        ("my secret word", "my own phrase", (None, "unknown_name")),
    ],
)
async def test_it_is_in_the_audit_log_without_a_secret(
    labeler: Labeler, name: str, password: str, line: tuple[str | None, str]
) -> None:
    with capture_logs() as lines:
        answer = await ask(labeler, name, password)
        await ask(labeler, name, password, grant_type=password)
    found: list[Any] = [(each["who"], each["outcome"]) for each in lines if each["event"] == "audit"]
    assert found == [line]
    written = json.dumps(lines, default=str)
    assert password not in written
    assert "my secret word" not in written
    assert answer.json().get("access_token", password) not in written


@pytest.mark.parametrize("changes", [{"grant_type": "client_credentials"}, {"username": "a\x00b"}])
async def test_a_form_of_another_kind_is_refused(labeler: Labeler, changes: dict[str, str]) -> None:
    answer = await ask(labeler, "anna", PASSWORDS["anna"], **changes)
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_request")
    assert PASSWORDS["anna"] not in answer.text


async def test_a_page_of_another_site_may_not_send_the_form(labeler: Labeler) -> None:
    form = {"grant_type": "password", "username": "anna", "password": PASSWORDS["anna"]}
    async with labeler.client() as client:
        answer = await client.post("/token", data=form, headers={"Origin": "http://evil.example"})
    assert (answer.status_code, answer.json()["error"]) == (403, "foreign_origin")
    assert "set-cookie" not in answer.headers


async def test_the_cookie_of_the_pages_opens_nothing_here(labeler: Labeler) -> None:
    image = image_stored()
    await labeler.publish(image)
    answer = await ask(labeler, "anna", PASSWORDS["anna"])
    assert "set-cookie" not in answer.headers
    session = Session(
        token=answer.json()["access_token"], name="anna", role="labeler", expires_at=labeler.clock() + timedelta(1)
    )
    async with labeler.client() as client:
        client.cookies.set(cookie.COOKIE, cookie.encode(session))
        refused = await client.post(f"/images/{image.image_id}/label", json={"label": "grass", "revision": 0})
    assert (refused.status_code, refused.json()["error"]) == (401, "unauthorised")
