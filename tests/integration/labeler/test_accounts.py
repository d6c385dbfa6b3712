"""People are added, changed, logged out and removed while the API runs."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from argon2 import PasswordHasher

from services.labeler.accounts.logins import ADDRESS_FAILURES, NAME_FAILURES, QUEUE, Logins, TooManyLogins
from services.labeler.accounts.sessions import Principal
from services.labeler.accounts.users import Users
from services.labeler.accounts.users_file import read_users
from services.labeler.api.app import follow_users
from shared.runtime.followed_file import FollowedFile
from shared.tables.database import Database
from shared.testing import FixedClock

from .conftest import PASSWORDS, Labeler

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
async def users(tables: Database, users_file: Path) -> Users:
    made = Users(tables, CHEAP)
    await made.prepare()
    await made.set_all(read_users(users_file), FixedClock()())
    return made


def entries(path: Path) -> dict[str, Any]:
    return {entry["name"]: entry for entry in json.loads(path.read_bytes())}


def write_text(path: Path, text: str) -> None:
    path.write_text(text)


async def status(labeler: Labeler, who: str, path: str = "/labels") -> int:
    async with labeler.client(who) as client:
        return (await client.get(path)).status_code


async def test_the_table_follows_the_file(users: Users, tables: Database, users_file: Path) -> None:
    before = {row["name"]: row["password_hash"] for row in await tables.fetch("SELECT * FROM users")}
    people = [user for user in read_users(users_file) if user.name != "olga"]
    changed = people[1].model_copy(update={"role": "operator", "password": people[0].password})
    assert await users.set_all([people[0], changed], FixedClock()()) == []
    after = {row["name"]: row["password_hash"] for row in await tables.fetch("SELECT * FROM users")}

    assert after.keys() == {"anna", "berta"}
    assert after["anna"] == before["anna"]
    assert after["berta"] != before["berta"]
    assert await Logins(users).log_in("berta", PASSWORDS["anna"], "here") == Principal("berta", "operator")
    assert await Logins(users).log_in("olga", PASSWORDS["olga"], "here") is None
    assert PASSWORDS["anna"] not in str(before)


async def test_a_short_password_counts_if_it_is_old_and_not_if_it_is_new(tables: Database, users_file: Path) -> None:
    users = Users(tables, CHEAP)
    [anna, *_] = read_users(users_file)
    short = anna.model_copy(update={"password": type(anna.password)("elevenchars")})
    await tables.execute(
        "INSERT INTO users (name, role, password_hash) VALUES ('anna', 'labeler', $1)", CHEAP.hash("elevenchars")
    )

    assert await users.set_all([short], FixedClock()()) == []
    [complaint] = await users.set_all([short.model_copy(update={"name": "nina"})], FixedClock()())

    assert "nina has fewer than 12 characters" in complaint
    assert await users.find("nina") is None


@pytest.fixture
async def follow(labeler: Labeler, users_file: Path) -> FollowedFile:
    """The running API, made to look at the file when a test says so."""
    service = labeler.app.state.service
    return follow_users(users_file, service.users, labeler.health, labeler.clock)


async def write(follow: FollowedFile, users_file: Path, people: list[dict[str, Any]]) -> None:
    write_text(users_file, json.dumps(people))
    await follow.look()


async def test_a_person_who_is_removed_is_out_at_once(labeler: Labeler, follow: FollowedFile, users_file: Path) -> None:
    await follow.look()
    labeler.tokens = await log_in(labeler)
    assert await status(labeler, "berta") == 200

    await write(follow, users_file, [entry for entry in entries(users_file).values() if entry["name"] != "berta"])

    assert await status(labeler, "berta") == 401
    assert await status(labeler, "anna") == 200


async def test_a_role_counts_from_the_next_request(labeler: Labeler, follow: FollowedFile, users_file: Path) -> None:
    await follow.look()
    labeler.tokens = await log_in(labeler)
    people = entries(users_file)
    people["olga"]["role"], people["anna"]["role"] = "labeler", "operator"

    await write(follow, users_file, list(people.values()))

    async with labeler.client("olga") as olga, labeler.client("anna") as anna:
        body = {"reason": "test"}
        assert (await olga.post("/trainings", json=body)).status_code == 403
        assert (await anna.post("/trainings", json=body)).status_code == 202


async def test_a_logout_ends_the_sessions_before_it_and_no_later_one(
    labeler: Labeler, follow: FollowedFile, users_file: Path
) -> None:
    await follow.look()
    labeler.tokens = await log_in(labeler)
    people = entries(users_file)
    labeler.clock.move(60)
    people["anna"]["sessions_from"] = labeler.clock().isoformat()

    await write(follow, users_file, list(people.values()))

    assert await status(labeler, "anna") == 401
    assert await status(labeler, "berta") == 200
    labeler.tokens = await log_in(labeler)
    assert await status(labeler, "anna") == 200


async def test_a_new_password_ends_the_sessions_of_the_old_one(
    labeler: Labeler, follow: FollowedFile, users_file: Path
) -> None:
    await follow.look()
    labeler.tokens = await log_in(labeler)
    people = entries(users_file)
    people["anna"]["password"] = "another long password"
    labeler.clock.move(1)

    await write(follow, users_file, list(people.values()))

    assert await status(labeler, "anna") == 401


async def test_a_broken_file_changes_nothing_and_health_says_so(
    labeler: Labeler, follow: FollowedFile, users_file: Path
) -> None:
    await follow.look()
    labeler.tokens = await log_in(labeler)
    for text in ("{", '[{"name": "anna"}]', json.dumps([entries(users_file)["anna"]] * 2)):
        write_text(users_file, text)
        await follow.look()
        state = labeler.health.state("users")
        assert state is not None
        assert not state.ok
        assert "no list of users" in state.detail
        assert await status(labeler, "berta") == 200


async def test_who_has_no_session_is_refused_before_the_body_is_read(labeler: Labeler) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield bytes(10_000)

    form = {"Content-Type": "multipart/form-data; boundary=abc"}
    for path in ("/images", "/trainings", "/images/" + "0" * 36 + "/label", "/nowhere"):
        async with labeler.client() as client:
            refused = await client.post(path, content=endless(), headers=form)
        assert refused.status_code == 401
    assert read <= 4  # the transport of the test takes one piece before it calls the application


async def test_at_most_so_many_passwords_wait_to_be_checked(users: Users) -> None:
    logins = Logins(users)
    tries = [logins.log_in(f"stranger {number}", "wrong", f"{number}") for number in range(150)]
    results = await asyncio.gather(*tries, return_exceptions=True)

    assert results.count(None) == QUEUE
    assert sum(isinstance(result, TooManyLogins) for result in results) == 150 - QUEUE


async def test_a_right_login_is_recognised_while_strangers_fill_the_queue(users: Users) -> None:
    logins, right = Logins(users), PASSWORDS["olga"]
    assert await logins.log_in("olga", right, "here") == Principal("olga", "operator")
    for name in ("olga", "stranger"):
        wrong = [asyncio.create_task(logins.log_in(name, f"wrong {number}", "here")) for number in range(150)]
        await asyncio.sleep(0)
        assert await logins.log_in("olga", right, "here") == Principal("olga", "operator")
        with pytest.raises(TooManyLogins):
            await logins.log_in("olga", right, "elsewhere")
        await asyncio.gather(*wrong, return_exceptions=True)


async def test_a_recognised_password_ends_with_its_user_or_its_change(users: Users, users_file: Path) -> None:
    logins, right = Logins(users), PASSWORDS["olga"]
    await logins.log_in("olga", right, "here")
    people = read_users(users_file)
    await users.set_all(people[:2], FixedClock()())
    for _ in range(NAME_FAILURES):
        with suppress(TooManyLogins):
            assert await logins.log_in("olga", right, "here") is None
    with pytest.raises(TooManyLogins):
        await logins.log_in("olga", right, "here")


@pytest.mark.parametrize("kind", ["name", "address"])
async def test_wrong_logins_of_a_name_or_an_address_are_counted_for_a_minute(users: Users, kind: str) -> None:
    clock = [0.0]
    logins = Logins(users, lambda: clock[0])
    limit = NAME_FAILURES if kind == "name" else ADDRESS_FAILURES
    for number in range(limit):
        name, address = ("anna", f"{number}") if kind == "name" else (f"{number}", "here")
        assert await logins.log_in(name, "wrong", address) is None

    with pytest.raises(TooManyLogins) as refused:
        await logins.log_in("anna", PASSWORDS["anna"], "here")
    assert 0 < refused.value.retry_after_seconds <= 61
    clock[0] = 60.0
    assert await logins.log_in("anna", PASSWORDS["anna"], "here") == Principal("anna", "labeler")


@pytest.mark.usefixtures("people")
async def test_too_many_logins_are_429_with_retry_after(labeler: Labeler) -> None:
    async with labeler.client() as client:
        answers = await asyncio.gather(*(wrong_login(client, f"stranger {number}") for number in range(60)))

    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {401, 429}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
    assert {answer.json()["error"] for answer in refused} == {"too_many_logins"}


async def wrong_login(client: httpx2.AsyncClient, name: str) -> httpx2.Response:
    return await client.post("/login", json={"name": name, "password": "wrong"})


async def log_in(labeler: Labeler) -> dict[str, str]:
    """Return a token for each person, after a login each."""
    tokens = {}
    async with labeler.client() as client:
        for name, password in PASSWORDS.items():
            answer = await client.post("/login", json={"name": name, "password": password})
            assert answer.status_code == 200, answer.text
            tokens[name] = answer.json()["token"]
    return tokens
