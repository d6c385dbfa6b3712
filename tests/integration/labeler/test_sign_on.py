"""Logins with a provider (OpenID Connect) over real tables: who is let in, as what, and why others are not."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from services.labeler.accounts.users import Users
from services.labeler.accounts.users_file import User
from services.labeler.settings import LabelerSettings
from shared.tables.database import Database
from shared.testing import FixedClock, MemoryEventLog, MemoryObjectStore
from shared.testing.oidc_provider import OidcProvider

from .conftest import ISSUER, OF_PROVIDER, PASSWORDS, Labeler, running, token

OF_GROUPS = {
    "oidc_default_role": "",
    "oidc_role_claim": "realm_access.roles",
    "oidc_roles": {"plants-people": "labeler", "plants-admins": "admin"},
}


@pytest.fixture
def provider() -> OidcProvider:
    return OidcProvider(ISSUER, lambda: FixedClock()().timestamp())


@pytest.fixture
def more(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Settings that a test adds."""
    return dict(getattr(request, "param", {}))


@pytest.fixture
async def labeler(
    settings: LabelerSettings, more: dict[str, Any], tables: Database, known: None, provider: OidcProvider
) -> AsyncIterator[Labeler]:
    """A running API whose people log in with the provider."""
    found = LabelerSettings.model_validate({**dict(settings), **OF_PROVIDER, **more})
    event_log, store, network = MemoryEventLog(), MemoryObjectStore(), httpx2.MockTransport(provider.answer)
    async with running(found, event_log, store, network) as (app, health):
        clock = app.state.service.command_bus.clock
        await tables.execute(
            "INSERT INTO users (name, role, password_hash, made_by) VALUES ('maria', 'admin', '', 'olga')"
        )
        tokens = {name: token(name) for name in ("anna", "maria", "olga")}
        yield Labeler(app, health, event_log, store, clock, tables, tokens)


async def begin(labeler: Labeler) -> dict[str, str]:
    async with labeler.client() as client:
        answer = await client.post("/login/provider")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store"), answer.text
    return dict(answer.json())


async def finish(labeler: Labeler, login: str, brought: dict[str, str]) -> httpx2.Response:
    async with labeler.client() as client:
        answer = await client.post("/login/provider/answer", json={"login": login, **brought})
    if answer.status_code == 200:
        labeler.tokens[answer.json()["name"]] = answer.json()["token"]
    return answer


async def log_in(labeler: Labeler, provider: OidcProvider, **asked: str) -> httpx2.Response:
    """Log in with the provider; `asked` changes what it is asked on the way."""
    begun = await begin(labeler)
    return await finish(labeler, begun["login"], provider.log_in(begun["address"], **asked))


async def status(labeler: Labeler, who: str) -> int:
    async with labeler.client(who) as client:
        return (await client.get("/labels")).status_code


async def ask(labeler: Labeler, path: str, **body: str) -> httpx2.Response:
    async with labeler.client("maria") as client:
        return await client.post(path, json=body)


def refusal(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


async def test_a_person_of_the_provider_is_known_by_issuer_and_subject(
    labeler: Labeler, provider: OidcProvider
) -> None:
    first = (await log_in(labeler, provider)).json()
    provider.person["preferred_username"] = "another name"
    again = (await log_in(labeler, provider)).json()

    assert (first["name"], first["role"], again["name"]) == ("frieda", "labeler", "frieda")
    me = await labeler.get("/me", "frieda")
    assert (me["made_by"], me["issuer"]) == (ISSUER, ISSUER)


@pytest.mark.parametrize("more", [OF_GROUPS], indirect=True)
async def test_the_provider_gives_roles_at_each_login(labeler: Labeler, provider: OidcProvider) -> None:
    provider.person["realm_access"] = {"roles": ["plants-admins", "plants-people", "others"]}
    assert (await log_in(labeler, provider)).json()["role"] == "admin"
    kept = labeler.tokens["frieda"]

    provider.person["realm_access"] = {"roles": ["plants-people"]}
    assert (await log_in(labeler, provider)).json()["role"] == "labeler"
    labeler.tokens["before"] = kept
    assert (await labeler.get("/me", "before"))["role"] == "labeler"
    assert refusal(await ask(labeler, "/people/role", name="frieda", role="admin")) == (409, "account_of_provider")

    labeler.clock.move(10)
    provider.person["realm_access"] = {"roles": ["others"]}
    answer = await log_in(labeler, provider)
    assert refusal(answer) == (403, "not_admitted")
    assert "'realm_access.roles'" in answer.json()["detail"]
    assert await status(labeler, "before") == 401


async def test_a_person_is_let_in_once_kept_out_and_taken_over_by_the_users_file(
    labeler: Labeler, provider: OidcProvider
) -> None:
    answers = await asyncio.gather(*(log_in(labeler, provider) for _ in range(5)))  # also on several replicas
    assert [answer.status_code for answer in answers] == [200] * 5
    assert await labeler.tables.fetchval("SELECT count(*) FROM users WHERE subject = 'person-1'") == 1
    assert (await ask(labeler, "/people/role", name="frieda", role="operator")).json()["role"] == "operator"
    assert (await log_in(labeler, provider)).json()["role"] == "operator"  # the provider gives no roles here

    labeler.clock.move(1)
    await ask(labeler, "/people/disable", name="frieda")
    assert await status(labeler, "frieda") == 401
    assert refusal(await log_in(labeler, provider)) == (403, "kept_out")
    await ask(labeler, "/people/enable", name="frieda")
    assert (await log_in(labeler, provider)).status_code == 200

    users: Users = labeler.app.state.service.users
    file = [User.model_validate({"name": "frieda", "role": "admin", "password": "a long password"})]
    await users.set_all(file, labeler.clock())
    assert refusal(await log_in(labeler, provider)) == (409, "name_taken")


async def test_an_account_of_the_same_name_is_not_taken_but_joined_by_an_admin(
    labeler: Labeler, provider: OidcProvider
) -> None:
    await ask(labeler, "/people", name="frieda", role="operator")
    refused = await log_in(labeler, provider)
    assert refusal(refused) == (409, "name_taken")
    assert refused.json()["detail"].endswith("person-1")

    assert (await ask(labeler, "/people/join", name="frieda", subject="person-1")).json()["issuer"] == ISSUER
    assert (await log_in(labeler, provider)).json()["role"] == "operator"
    assert refusal(await ask(labeler, "/people/password", name="frieda")) == (409, "account_of_provider")
    await ask(labeler, "/people", name="nina", role="labeler")
    assert refusal(await ask(labeler, "/people/join", name="nina", subject="person-1")) == (409, "subject_taken")


async def test_an_answer_counts_once_and_in_its_own_browser(labeler: Labeler, provider: OidcProvider) -> None:
    begun = await begin(labeler)
    brought = provider.log_in(begun["address"])

    first, again = [await finish(labeler, begun["login"], brought) for _ in range(2)]
    assert first.status_code == 200
    assert refusal(again) == (400, "login_not_begun")
    assert "used before" in again.json()["detail"]

    mine, other = await begin(labeler), await begin(labeler)
    brought = provider.log_in(other["address"])
    late = await begin(labeler)
    late_answer = provider.log_in(late["address"])

    assert refusal(await finish(labeler, mine["login"], brought)) == (400, "login_not_begun")
    assert refusal(await finish(labeler, "", brought)) == (400, "login_not_begun")
    assert refusal(await finish(labeler, other["login"][:-4] + "AAAA", brought)) == (400, "login_not_begun")
    mixed = provider.log_in(mine["address"]) | {"code": brought["code"]}
    assert refusal(await finish(labeler, mine["login"], mixed)) == (403, "login_declined")  # PKCE
    declined = await log_in(labeler, provider, error="access_denied")
    assert refusal(declined) == (403, "login_declined")
    assert declined.json()["detail"].startswith("Keycloak did not log you in: it was not allowed there")
    for iss in ("https://evil.example", ""):
        begun = await begin(labeler)
        asked = len(provider.asked)
        other_issuer = await finish(labeler, begun["login"], provider.log_in(begun["address"]) | {"iss": iss})
        assert refusal(other_issuer) == (403, "provider_at_fault")
        assert len(provider.asked) == asked  # it does not even get the code
    labeler.clock.move(601)
    answer = await finish(labeler, late["login"], late_answer)
    assert "longer than 10 minutes" in answer.json()["detail"]


async def test_a_provider_that_is_away_is_told_and_passwords_still_work(
    labeler: Labeler, provider: OidcProvider
) -> None:
    provider.away = True
    async with labeler.client() as client:
        answer = await client.post("/login/provider")
        options = await client.get("/login/options")

    assert refusal(answer) == (503, "unavailable")
    assert "Keycloak answered 503" in answer.json()["detail"]
    assert options.json() == {"provider": "Keycloak", "passwords": "everyone"}


@pytest.mark.parametrize("more", [{"password_login": "admins"}], indirect=True)
async def test_passwords_may_be_for_admins_alone_or_off(labeler: Labeler) -> None:
    users: Users = labeler.app.state.service.users
    roles = {"anna": "labeler", "berta": "admin"}
    people = [User.model_validate({"name": n, "role": r, "password": PASSWORDS[n]}) for n, r in roles.items()]
    await users.set_all(people, labeler.clock())

    async with labeler.client() as client:
        answers = [
            await client.post("/login", json={"name": name, "password": PASSWORDS[name]}) for name in ("anna", "berta")
        ]
    assert [each.status_code for each in answers] == [403, 200]
    assert refusal(answers[0]) == (403, "password_login_off")

    labeler.app.state.service.settings.__dict__["password_login"] = "off"
    async with labeler.client() as client:
        admin = await client.post("/login", json={"name": "berta", "password": PASSWORDS["berta"]})
    assert refusal(admin) == (403, "password_login_off")


async def test_each_login_leaves_a_line_in_the_audit_log(labeler: Labeler, provider: OidcProvider) -> None:
    with capture_logs() as lines:
        await log_in(labeler, provider)
        provider.changed = {"nonce": "wrong"}
        await log_in(labeler, provider)

    said = [(each["act"], each["who"], each["on"], each["outcome"]) for each in lines if each["event"] == "audit"]
    assert said == [
        ("add_user", ISSUER, "frieda", "labeler"),
        ("log_in_with_provider", "frieda", None, "let_in"),
        ("log_in_with_provider", None, None, "provider_at_fault"),
    ]
