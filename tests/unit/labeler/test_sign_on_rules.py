"""Whom the claims of a provider let in, and where the pages send a browser on to."""

from typing import Any

import pytest

from services.labeler.decisions.own_paths import own_path, path_of_referrer
from services.labeler.decisions.sign_on import Admission, Admitted, Turned, admit

ROLES = Admission("name", "groups", {"people": "labeler", "admins": "admin"}, None)
ANYONE = Admission("name", "", {}, "uploader")


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["people", "others"]}, "labeler"),
        ({"groups": ["people", "admins"]}, "admin"),
        ({"groups": "admins"}, "admin"),
        ({"groups": ["others"]}, None),
        ({"groups": {"admins": True}}, None),
        ({"groups": [1, None]}, None),
        ({}, None),
    ],
)
def test_the_highest_role_of_the_claim_counts(claims: dict[str, Any], role: str | None) -> None:
    found = admit({"sub": "1", "name": "frieda", **claims}, ROLES)
    assert (found.role if isinstance(found, Admitted) else None) == role


def test_a_claim_may_lie_in_another_one_or_have_dots_in_its_name() -> None:
    nested = Admission("who.name", "a.b", {"x": "operator"}, None)
    claims = {"sub": "1", "a": {"b": ["x"]}, "who": {"name": " frieda "}}
    assert admit(claims, nested) == Admitted("1", "frieda", "operator")
    assert admit({"sub": "1", "a.b": ["x"]}, nested) == Admitted("1", None, "operator")


@pytest.mark.parametrize("name", [None, "", "a" * 101, "a\u202eb", 7, ["frieda"]])
def test_a_name_that_cannot_be_one_is_none(name: object) -> None:
    assert admit({"sub": "1", "name": name}, ANYONE) == Admitted("1", None, "uploader")


@pytest.mark.parametrize("subject", [None, "", "a" * 256, 7, "a\x00"])
def test_no_person_is_let_in_without_a_subject(subject: object) -> None:
    assert isinstance(admit({"sub": subject, "name": "frieda"}, ANYONE), Turned)


@pytest.mark.parametrize(
    ("email", "verified", "in_"),
    [
        ("f@plants.example", True, True),
        ("f@PLANTS.example", True, True),
        ("f@plants.example", "true", False),
        ("f@plants.example", False, False),
        ("f@notplants.example", True, False),
        ("f@a.plants.example", True, False),
        (None, True, False),
    ],
)
def test_only_verified_addresses_of_the_domains_are_let_in(email: str | None, verified: object, in_: bool) -> None:
    rules = Admission("name", "", {}, "labeler", ("plants.example",))
    found = admit({"sub": "1", "name": "frieda", "email": email, "email_verified": verified}, rules)
    assert isinstance(found, Admitted) is in_


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "", "/a\n", "/" * 2]
)
def test_a_path_that_leads_elsewhere_is_the_home_page(path: str) -> None:
    assert own_path(path) == "/"


def test_the_page_one_comes_from_is_remembered_if_it_is_ours() -> None:
    assert own_path("/browse?label=grass") == "/browse?label=grass"
    assert path_of_referrer("https://pappus.example/browse?label=grass", "pappus.example") == "/browse?label=grass"
    assert path_of_referrer("https://evil.example/browse", "pappus.example") == "/"
    assert path_of_referrer("https://pappus.example//evil.example", "pappus.example") == "/"
    assert path_of_referrer("", "pappus.example") == "/"
