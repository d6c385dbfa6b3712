"""Whom a provider's word lets in: the claims of an ID token that was checked become a name and a role."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.contract.roles import ROLES, Role
from shared.runtime.text import clean_typed

LONGEST_NAME = 100
LONGEST_SUBJECT = 255
"""OpenID Connect Core 1.0, section 2."""
Claims = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Admission:
    """Who is let in, and as what. `roles`: the role that each value of `role_claim` gives; no `role_claim`: everyone
    has `default_role` at first, and admins change roles here. No `default_role`: who gets no other role stays outside.
    `email_domains` in lower case; none: any person, with or without an e-mail address."""

    name_claim: str
    role_claim: str
    roles: Mapping[str, Role]
    default_role: Role | None
    email_domains: tuple[str, ...] = ()

    @property
    def gives_roles(self) -> bool:
        """Whether the provider says at each login which role a person has."""
        return bool(self.role_claim)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A person who is let in. `subject`: as the provider knows them for good. `name`: for a new account, None if the
    claim has none that can be used. `role`: for a new account, and at each login if the provider gives roles."""

    subject: str
    name: str | None
    role: Role


@dataclass(frozen=True, slots=True)
class Turned:
    """A person who stays outside, with a sentence why."""

    subject: str
    why: str


def admit(claims: Claims, rules: Admission) -> Admitted | Turned:
    """Return whether these claims let a person in. Of several roles the highest counts."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        return Turned("", "The provider names no subject that could be told apart from others.")
    if (why := _refuse_email(claims, rules.email_domains)) is not None:
        return Turned(subject, why)
    values = _texts(find_claim(claims, rules.role_claim)) if rules.role_claim else []
    roles = [rules.roles[value] for value in values if value in rules.roles]
    role = max(roles, key=ROLES.index) if roles else rules.default_role
    if role is None:
        return Turned(
            subject,
            f"The provider gives you nothing in {rules.role_claim!r} that lets you in here. Ask those who run it for"
            " one of the groups or roles of Pappus.",
        )
    return Admitted(subject, name_in(claims, rules.name_claim), role)


def find_claim(claims: Claims, name: str) -> object:
    """Return the claim of this name, or the one at this path: realm_access.roles is `roles` in `realm_access`. None if
    there is no such claim."""
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def name_in(claims: Claims, name_claim: str) -> str | None:
    """Return the name in a claim, in NFC; None if there is none, or one that cannot be a name here."""
    found = find_claim(claims, name_claim)
    name = clean_typed(found) if isinstance(found, str) else ""
    return name if 0 < len(name) <= LONGEST_NAME and name.isprintable() else None


def _texts(found: object) -> list[str]:
    """Return the values of a claim that may be one text or a list of them."""
    if isinstance(found, str):
        return [found]
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _refuse_email(claims: Claims, domains: tuple[str, ...]) -> str | None:
    if not domains:
        return None
    email = claims.get("email")
    if not isinstance(email, str) or claims.get("email_verified") is not True:
        return "The provider names no verified e-mail address of yours, which is asked for here. Verify it there."
    domain = email.rpartition("@")[2].lower()
    if domain in domains:
        return None
    return f"Only e-mail addresses of {', '.join(domains)} are let in, and yours is of {domain}. Take another account."
