"""The provider as it is asked, and which ID tokens count: signed tokens, no network."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from services.labeler.accounts.sign_on.begun_logins import begin
from services.labeler.accounts.sign_on.errors import ProviderAtFault, ProviderUnavailable
from services.labeler.accounts.sign_on.id_tokens import IdTokens
from services.labeler.accounts.sign_on.provider import AGAIN_SECONDS, ANSWER_BYTES, KEPT_SECONDS, Provider
from services.labeler.accounts.sign_on.sign_on import address_at
from services.labeler.provider_settings import ProviderSettings, SignOnSettings
from shared.testing import FixedClock
from shared.testing.oidc_provider import CLIENT, SECRET, OidcProvider, change_claims, make_key

ISSUER = "https://id.example.org/realms/plants"
NOW = FixedClock()()
KEY = make_key("key-1")


class Hand:
    """A clock that stands still until it is moved (seconds)."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def settings(**values: Any) -> ProviderSettings:
    given = {
        "oidc_issuer": ISSUER,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SECRET,
        "oidc_redirect_url": "https://pappus.example.org/oidc/callback",
        "oidc_name": "Keycloak",
        "oidc_default_role": "labeler",
    }
    found = SignOnSettings.model_validate(given | values).provider
    assert found is not None
    return found


@pytest.fixture
def double() -> OidcProvider:
    return OidcProvider(ISSUER, NOW.timestamp, signs_with=KEY)


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def provider(double: OidcProvider, hand: Hand) -> Provider:
    return Provider(settings(), httpx2.MockTransport(double.answer), hand)


async def log_in(provider: Provider, double: OidcProvider) -> Mapping[str, object]:
    """Return the claims of a whole login."""
    begun = begin(NOW)
    brought = double.log_in(await address_at(provider, begun))
    tokens = await provider.exchange(brought["code"], begun.code_verifier)
    return await IdTokens(provider).check(tokens, begun.nonce, NOW)


async def test_the_browser_is_sent_to_the_provider_with_all_that_binds_the_login(provider: Provider) -> None:
    begun = begin(NOW)
    address = urlsplit(await address_at(provider, begun))
    asked = {name: value for name, (value,) in parse_qs(address.query).items()}

    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{ISSUER}/authorize"
    assert (asked["response_type"], asked["scope"], asked["client_id"]) == ("code", "openid profile email", CLIENT)
    assert (asked["state"], asked["nonce"], asked["code_challenge_method"]) == (begun.state, begun.nonce, "S256")
    assert begun.code_verifier not in address.query


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"iss": "https://evil.example"}, "it is of another issuer"),
        ({"aud": "another client"}, "it is for another client"),
        ({"aud": [CLIENT, "another"], "azp": "another"}, "it is for another client"),
        ({"nonce": "of another login"}, "it belongs to another login"),
        ({"nonce": None}, "it belongs to another login"),
        ({"at_hash": "of another token"}, "it belongs to another access token"),
        ({"exp": 1}, "one of the two clocks is wrong"),
        ({"iat": NOW.timestamp() + 3600}, "one of the two clocks is wrong"),
        ({"exp": None}, "its claim exp is missing or wrong"),
        ({"sub": None}, "its claim sub is missing or wrong"),
    ],
)
async def test_an_id_token_that_does_not_fit_counts_for_nothing(
    provider: Provider, double: OidcProvider, changed: dict[str, Any], why: str
) -> None:
    assert (await log_in(provider, double))["sub"] == "person-1"
    double.changed = changed
    with pytest.raises(ProviderAtFault, match=why):
        await log_in(provider, double)


async def test_clocks_may_differ_by_less_than_a_minute(provider: Provider, double: OidcProvider) -> None:
    double.now = (NOW + timedelta(seconds=50)).timestamp
    assert (await log_in(provider, double))["sub"] == "person-1"


async def test_a_tampered_or_forged_token_counts_for_nothing(provider: Provider, double: OidcProvider) -> None:
    double.token_of = lambda claims: change_claims(double.sign(claims), sub="person-2")
    with pytest.raises(ProviderAtFault, match="its signature is wrong"):
        await log_in(provider, double)
    for token in (
        lambda claims: double.sign(claims).rpartition(".")[0] + ".",
        lambda claims: "eyJhbGciOiJub25lIn0." + double.sign(claims).split(".")[1] + ".",  # alg: none
        lambda claims: "no token",
    ):
        double.token_of = token
        with pytest.raises(ProviderAtFault, match="does not count"):
            await log_in(provider, double)


async def test_a_new_key_is_taken_over_and_unknown_ones_are_not(
    provider: Provider, double: OidcProvider, hand: Hand
) -> None:
    await log_in(provider, double)
    double.signs_with = make_key("key-2")
    for _ in range(3):
        with pytest.raises(ProviderAtFault, match="a key that the provider does not publish"):
            await log_in(provider, double)
    assert len([each for each in double.asked if each.endswith("/keys")]) == 1

    double.published = [double.signs_with]
    hand.seconds += AGAIN_SECONDS
    assert (await log_in(provider, double))["sub"] == "person-1"


async def test_a_provider_that_is_away_is_remembered_for_an_hour(
    provider: Provider, double: OidcProvider, hand: Hand
) -> None:
    double.away = True
    with pytest.raises(ProviderUnavailable, match="Keycloak answered 503"):
        await provider.metadata()
    double.away = False
    hand.seconds += 3
    known = await provider.metadata()
    hand.seconds += KEPT_SECONDS + 1
    double.away = True
    assert await provider.metadata() == known  # what it said last counts while it does not answer


async def test_a_broken_network_and_an_endless_answer_are_told(hand: Hand) -> None:
    def fail(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    answers = {
        "does not answer": fail,
        "more than": lambda request: httpx2.Response(200, content=b"x" * ANSWER_BYTES * 2),
    }
    for why, answer in answers.items():
        with pytest.raises(ProviderUnavailable, match=why):
            await Provider(settings(), httpx2.MockTransport(answer), hand).metadata()


@pytest.mark.parametrize(
    ("described", "why"),
    [
        ({"issuer": f"{ISSUER}/"}, "to the last character"),
        ({"token_endpoint": "https://inside.example/token"}, "add it to PAPPUS_OIDC_HOSTS"),
        ({"jwks_uri": "http://id.example.org/keys"}, "no jwks_uri that is an https address"),
        ({"authorization_endpoint": None}, "no authorization_endpoint"),
    ],
)
async def test_only_the_hosts_of_the_settings_are_asked(
    provider: Provider, double: OidcProvider, described: dict[str, Any], why: str
) -> None:
    double.described = described
    with pytest.raises(ProviderAtFault, match=why):
        await provider.metadata()
    assert double.asked == ["id.example.org/.well-known/openid-configuration"]


async def test_a_redirect_is_not_followed(hand: Hand) -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.host)
        return httpx2.Response(302, headers={"location": "http://169.254.169.254/"})

    with pytest.raises(ProviderUnavailable, match="PAPPUS_OIDC_ISSUER may be wrong"):
        await Provider(settings(), httpx2.MockTransport(answer), hand).metadata()
    assert asked == ["id.example.org"]


async def test_the_secret_is_sent_as_the_provider_takes_it(provider: Provider, double: OidcProvider) -> None:
    double.described = {"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]}
    assert (await log_in(provider, double))["sub"] == "person-1"


async def test_a_wrong_secret_is_told_to_those_who_run_it(double: OidcProvider, hand: Hand) -> None:
    provider = Provider(settings(oidc_client_secret="wrong"), httpx2.MockTransport(double.answer), hand)
    with pytest.raises(ProviderAtFault, match="PAPPUS_OIDC_CLIENT_ID and the client's secret"):
        await log_in(provider, double)
