"""Accounts that admins make and change over HTTP."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from services.labeler.accounts.users import Users
from services.labeler.accounts.users_file import User, read_users
from shared.testing import image_stored, label_corrected

from .conftest import Labeler, token


@pytest.fixture
async def admins(labeler: Labeler) -> Labeler:
    """Two admins, made in the app."""
    for name in ("maria", "noor"):
        insert = "INSERT INTO users (name, role, password_hash, made_by) VALUES ($1, 'admin', '', 'olga')"
        await labeler.tables.execute(insert, name)
        labeler.tokens[name] = token(name)
    return labeler


async def ask(labeler: Labeler, path: str, who: str = "maria", **body: str) -> httpx2.Response:
    async with labeler.client(who) as client:
        return await client.post(path, json=body)


async def log_in(labeler: Labeler, name: str, password: str) -> int:
    async with labeler.client() as client:
        answer = await client.post("/login", json={"name": name, "password": password})
    if answer.status_code == 200:
        labeler.tokens[name] = answer.json()["token"]
    return answer.status_code


async def status(labeler: Labeler, who: str) -> int:
    async with labeler.client(who) as client:
        return (await client.get("/labels")).status_code


async def person(labeler: Labeler, name: str) -> dict[str, Any]:
    return next(found for found in await labeler.get("/people", "maria") if found["name"] == name)


async def test_a_person_is_added_changed_kept_out_and_let_in_again(admins: Labeler) -> None:
    added = await ask(admins, "/people", name="nina", role="uploader")
    password = added.json()["password"]
    assert (added.status_code, added.headers["cache-control"]) == (201, "no-store")
    assert await log_in(admins, "nina", password) == 200
    assert (await admins.correct("nina", uuid4(), "grass", 0)).status_code == 403

    assert (await ask(admins, "/people/role", name="nina", role="labeler")).json()["role"] == "labeler"
    assert (await admins.correct("nina", uuid4(), "grass", 0)).status_code == 404  # no such image: she may try

    assert (await ask(admins, "/people/disable", name="nina")).json()["disabled_at"] is not None
    assert await status(admins, "nina") == 401
    assert await log_in(admins, "nina", password) == 401
    assert (await ask(admins, "/people/enable", name="nina")).json()["disabled_at"] is None
    admins.clock.move(1)
    assert await log_in(admins, "nina", password) == 200


async def test_a_new_password_ends_the_sessions_of_the_old_one(admins: Labeler) -> None:
    first = (await ask(admins, "/people", name="nina", role="labeler")).json()["password"]
    await log_in(admins, "nina", first)
    admins.clock.move(1)
    second = (await ask(admins, "/people/password", name="nina")).json()["password"]

    assert await status(admins, "nina") == 401
    assert await log_in(admins, "nina", first) == 401
    assert await log_in(admins, "nina", second) == 200
    admins.clock.move(1)
    wrong = await ask(admins, "/me/password", "nina", password=first, new_password="a longer password")
    short = await ask(admins, "/me/password", "nina", password=second, new_password="short")
    assert (wrong.json()["error"], short.json()["error"]) == ("wrong_password", "password_too_short")
    assert await status(admins, "nina") == 200
    own = await ask(admins, "/me/password", "nina", password=second, new_password="a longer password")
    assert own.status_code == 200
    assert "password" not in own.json()
    assert await status(admins, "nina") == 401
    assert await log_in(admins, "nina", "a longer password") == 200


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("/people", {"name": "noor", "role": "admin"}, "name_taken"),
        ("/people", {"name": "anna", "role": "admin"}, "name_taken"),
        ("/people/role", {"name": "anna", "role": "admin"}, "account_of_file"),
        ("/people/password", {"name": "anna"}, "account_of_file"),
        ("/people/disable", {"name": "anna"}, "account_of_file"),
        ("/people/role", {"name": "maria", "role": "labeler"}, "own_account"),
        ("/people/disable", {"name": "maria"}, "own_account"),
        ("/people/enable", {"name": "ghost"}, "person_unknown"),
        ("/people", {"name": "two\nlines", "role": "admin"}, "invalid_name"),
        ("/people", {"name": " ", "role": "admin"}, "invalid_request"),
        ("/people", {"name": "nina", "role": "owner"}, "invalid_request"),
    ],
)
async def test_what_is_not_possible_says_why(admins: Labeler, path: str, body: dict[str, str], error: str) -> None:
    before = await admins.get("/people", "maria")
    answer = await ask(admins, path, **body)

    assert (answer.json()["error"], answer.status_code in (404, 409, 422)) == (error, True)
    assert await admins.get("/people", "maria") == before


async def test_two_admins_cannot_take_the_role_from_each_other_at_once(admins: Labeler) -> None:
    answers = await asyncio.gather(
        ask(admins, "/people/role", "maria", name="noor", role="labeler"),
        ask(admins, "/people/role", "noor", name="maria", role="labeler"),
    )

    assert sorted(answer.status_code for answer in answers) == [200, 403]
    assert await admins.tables.fetchval("SELECT count(*) FROM users WHERE role = 'admin'") == 1


async def test_the_users_file_leaves_other_accounts_and_takes_over_its_own(admins: Labeler, users_file: Any) -> None:
    await ask(admins, "/people", name="nina", role="labeler")
    await ask(admins, "/people", name="otto", role="labeler")
    await ask(admins, "/people/disable", name="otto")
    users: Users = admins.app.state.service.users
    named = User.model_validate({"name": "otto", "role": "operator", "password": "a password of the file"})
    assert await users.set_all([*read_users(users_file)[:1], named], admins.clock()) == []

    names = {found["name"]: found["made_by"] for found in await admins.get("/people", "maria")}
    assert names == {"anna": None, "maria": "olga", "nina": "maria", "noor": "olga", "otto": None}
    assert (await person(admins, "otto"))["disabled_at"] is None
    assert await log_in(admins, "otto", "a password of the file") == 200


async def test_the_list_says_what_each_person_decided(admins: Labeler) -> None:
    images = [image_stored(trust="claimed", label="grass") for _ in range(4)]
    at = admins.clock()

    def said(index: int, by: str, label: str, revision: int, second: int) -> Any:
        from datetime import timedelta

        return label_corrected(
            image_id=images[index].image_id,
            label_from="grass",
            label_to=label,
            revision=revision,
            corrected_by=by,
            occurred_at=at + timedelta(seconds=second),
        )

    await admins.publish(
        *images,
        said(0, "anna", "grass", 1, 0),
        said(1, "anna", "grass", 1, 2),
        said(2, "anna", "grass", 1, 6),
        said(0, "berta", "grass", 2, 8),
        said(1, "berta", "dandelion", 2, 9),
    )
    work = (await person(admins, "anna"))["work"]
    me = await admins.get("/me", "berta")

    assert {name: work[name] for name in ("decided", "today", "confirmed", "overturned", "seconds_each")} == {
        "decided": 3,
        "today": 3,
        "confirmed": 1,
        "overturned": 1,
        "seconds_each": 3.0,
    }
    assert (me["name"], me["role"], me["work"]["decided"], me["work"]["confirmed"]) == ("berta", "labeler", 2, 0)
