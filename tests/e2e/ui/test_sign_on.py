"""A login with a provider in a real browser: the button, the provider's page on another site, and back."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from pydantic import SecretStr

from services.labeler.provider_settings import SignOnSettings
from services.labeler.ui.sessions import cookie
from shared.testing.oidc_provider import CLIENT, SECRET, OidcProvider
from tests.unit.labeler.ui.fake_apis import FakeApis
from tests.unit.labeler.ui.fake_sign_on import FakeSignOn

from .stage import Stage, served, with_browser

pytestmark = [pytest.mark.timeout(180), with_browser]


@pytest.fixture
def provider(stage: Stage, apis: FakeApis) -> Iterator[OidcProvider]:
    """A provider at another host than the pages, so that browsers take it for another site."""
    provider = OidcProvider("", time.time)
    with served(provider.answer) as address:
        provider.issuer = address.replace("127.0.0.1", "localhost")
        settings = SignOnSettings(
            oidc_issuer=provider.issuer,
            oidc_client_id=CLIENT,
            oidc_client_secret=SecretStr(SECRET),
            oidc_redirect_url=f"{stage.address}/oidc/callback",
            oidc_name="Keycloak",
            oidc_default_role="labeler",
        )
        apis.sign_on = FakeSignOn(settings.provider)
        yield provider


def test_a_person_goes_to_the_provider_and_comes_back(
    stranger: Page, stage: Stage, apis: FakeApis, provider: OidcProvider
) -> None:
    stranger.goto(f"{stage.address}/quarantine?from=mail")
    stranger.get_by_role("link", name="Log in with Keycloak").click()
    stranger.get_by_role("button", name="Cancel").click()
    expect(stranger.get_by_text("Keycloak did not log you in")).to_be_visible()
    stranger.go_back()
    stranger.go_back()
    stranger.get_by_role("link", name="Log in with Keycloak").press("Enter")
    stranger.get_by_role("button", name="I am Frieda").press("Enter")

    expect(stranger.get_by_role("heading", name="Quarantine")).to_be_visible(timeout=30_000)
    expect(stranger.get_by_text("frieda · labeler")).to_be_visible()
    assert stranger.url.startswith(f"{stage.address}/quarantine")
    kept = {each["name"]: each for each in stranger.context.cookies(stage.address)}
    assert (kept[cookie.COOKIE]["httpOnly"], kept[cookie.COOKIE]["sameSite"]) == (True, "Strict")
    assert "pappus_login" not in kept
