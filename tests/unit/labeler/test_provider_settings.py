"""The settings of a provider: each fault is a sentence that names the setting and what to write."""

from pathlib import Path
from typing import Any

import pytest

from services.labeler.provider_settings import SignOnSettings
from shared.runtime.errors import InvalidSettings

RIGHT: dict[str, Any] = {
    "oidc_issuer": "https://id.example.org",
    "oidc_client_id": "pappus",
    "oidc_client_secret": "secret",
    "oidc_redirect_url": "https://pappus.example.org/oidc/callback",
    "oidc_default_role": "labeler",
}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"oidc_issuer": "http://id.example.org"}, "PAPPUS_OIDC_ISSUER is 'http://id.example.org': write an https"),
        ({"oidc_issuer": "https://me:secret@id.example.org"}, "PAPPUS_OIDC_ISSUER is"),
        ({"oidc_issuer": "https://id.example.org:x"}, "PAPPUS_OIDC_ISSUER is"),
        ({"oidc_issuer": ""}, "PAPPUS_OIDC_ISSUER is not set, but other"),
        ({"oidc_client_id": ""}, "PAPPUS_OIDC_CLIENT_ID is not set"),
        ({"oidc_client_secret": ""}, "PAPPUS_OIDC_CLIENT_SECRET is not set"),
        ({"oidc_client_secret": "", "oidc_client_secret_file": "/nowhere"}, "_SECRET_FILE is /nowhere, which cannot"),
        ({"oidc_redirect_url": ""}, "PAPPUS_OIDC_REDIRECT_URL is not set"),
        ({"oidc_redirect_url": "https://pappus.example.org/"}, "take people back at /oidc/callback"),
        ({"oidc_scopes": ["profile"]}, "PAPPUS_OIDC_SCOPES has no openid"),
        ({"oidc_default_role": ""}, "Nothing gives a new person a role"),
        ({"oidc_roles": {"a": "admin"}}, "PAPPUS_OIDC_ROLES needs PAPPUS_OIDC_ROLE_CLAIM"),
        ({"oidc_role_claim": "groups"}, "PAPPUS_OIDC_ROLE_CLAIM needs PAPPUS_OIDC_ROLES"),
    ],
)
def test_what_is_missing_or_contradicts_is_named(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidSettings, match=why):
        _ = SignOnSettings.model_validate(RIGHT | changed).provider


def test_without_a_provider_passwords_cannot_be_off() -> None:
    assert SignOnSettings().provider is None
    with pytest.raises(InvalidSettings, match="there is no provider to log in with"):
        _ = SignOnSettings(password_login="off").provider


def test_the_secret_may_be_in_a_file_and_other_hosts_count(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("of the file\n")
    changed = {"oidc_client_secret": "", "oidc_client_secret_file": file, "oidc_hosts": ["Keys.example.org"]}
    found = SignOnSettings.model_validate(RIGHT | changed).provider
    assert found is not None
    assert found.client_secret == "of the file"
    assert found.hosts == {"id.example.org", "keys.example.org"}


@pytest.mark.parametrize("issuer", ["http://keycloak:8080/realms/a", "http://127.0.0.1:8080", "http://dex.auth.svc"])
def test_plain_http_is_for_what_is_near(issuer: str) -> None:
    assert SignOnSettings.model_validate(RIGHT | {"oidc_issuer": issuer}).provider is not None
