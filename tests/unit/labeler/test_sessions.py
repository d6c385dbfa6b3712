"""Session tokens."""

from datetime import UTC, datetime, timedelta

import jwt
import pytest

from services.labeler.accounts.sessions import (
    ALGORITHM,
    AUDIENCE,
    Principal,
    Token,
    Unauthorised,
    issue_token,
    verify_token,
)
from shared.contract.roles import Role

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SECRET = "a secret of at least thirty-two bytes"


def claims(**changes: object) -> str:
    """Return a token with these claims and a valid signature."""
    values = {"sub": "anna", "iat": NOW.timestamp(), "aud": AUDIENCE, "exp": int(NOW.timestamp()) + 60, **changes}
    return jwt.encode({name: value for name, value in values.items() if value is not None}, SECRET, ALGORITHM)


def test_a_token_names_its_user_until_it_expires() -> None:
    token, expires_at = issue_token("anna", SECRET, NOW, timedelta(hours=1))

    assert expires_at == NOW + timedelta(hours=1)
    assert verify_token(token, SECRET, NOW + timedelta(minutes=59)) == Token("anna", NOW)
    with pytest.raises(Unauthorised, match="ended"):
        verify_token(token, SECRET, expires_at)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "not a token",
        jwt.encode({"sub": "anna", "iat": 1, "aud": AUDIENCE, "exp": 2**31}, "another " + SECRET, ALGORITHM),
        jwt.encode({"sub": "anna", "iat": 1, "aud": AUDIENCE, "exp": 2**31}, "", "none"),
        claims(aud="another service"),
        claims(sub=None),
        claims(iat=None),
        claims(iat="yesterday"),
        claims(exp=None),
        claims(exp=1.5e9),
    ],
)
def test_any_other_token_is_refused(token: str) -> None:
    with pytest.raises(Unauthorised):
        verify_token(token, SECRET, NOW)


@pytest.mark.parametrize(
    ("role", "needed", "allowed"),
    [
        ("uploader", "uploader", True),
        ("uploader", "labeler", False),
        ("labeler", "uploader", True),
        ("labeler", "labeler", True),
        ("labeler", "operator", False),
        ("operator", "labeler", True),
        ("operator", "operator", True),
        ("operator", "admin", False),
        ("admin", "operator", True),
        ("admin", "admin", True),
    ],
)
def test_each_role_has_the_rights_of_those_before_it(role: Role, needed: Role, *, allowed: bool) -> None:
    assert Principal("anna", role).may_act_as(needed) is allowed
