"""Settings of logins with OpenID Connect (prefix PAPPUS_OIDC_). Without an issuer people log in with passwords only."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr

from services.labeler.decisions.sign_on import Admission
from shared.contract.roles import Role
from shared.runtime.errors import InvalidSettings
from shared.runtime.hosts import PRIVATE

CALLBACK = "/oidc/callback"
"""Where the pages take people back from their provider."""
PasswordLogin = Literal["everyone", "admins", "off"]


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What is needed to log people in with one provider. `hosts`: where its endpoints may be, in lower case, the
    issuer's own among them. `ca_file`: who signs for these; None: the system's authorities."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_url: str
    name: str
    scopes: tuple[str, ...]
    admission: Admission
    hosts: frozenset[str]
    ca_file: Path | None


class SignOnSettings(BaseModel):
    """The settings as they stand in the environment; `provider` is what they say together."""

    oidc_issuer: str = Field(default="", description="The provider's issuer, exactly as it calls itself; empty: none")
    oidc_client_id: str = Field(default="", description="As which client the provider knows this installation")
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_client_secret_file: Path | None = Field(default=None, description="instead: a file that holds it")
    oidc_redirect_url: str = Field(default="", description=f"The public address of the pages with {CALLBACK}")
    oidc_name: str = Field(default="single sign-on", min_length=1, max_length=60, description="As the button calls it")
    oidc_scopes: tuple[str, ...] = Field(default=("openid", "profile", "email"), description="What is asked for")
    oidc_name_claim: str = Field(default="preferred_username", min_length=1, description="The name of a new account")
    oidc_role_claim: str = Field(default="", description="The claim with groups or roles; a path has dots; empty: none")
    oidc_roles: dict[str, Role] = Field(default_factory=dict, description="Which value of that claim gives which role")
    oidc_default_role: Role | Literal[""] = Field(default="", description="The role without such a value; empty: none")
    oidc_email_domains: tuple[str, ...] = Field(default=(), description="Only verified addresses of these; empty: all")
    oidc_hosts: tuple[str, ...] = Field(default=(), description="Other hosts of the provider, such as that of its keys")
    oidc_ca_file: Path | None = Field(default=None, description="Who signs for the provider; None: the system")
    password_login: PasswordLogin = Field(default="everyone", description="Who may log in with a password")

    @property
    def provider(self) -> ProviderSettings | None:
        """What these settings say; None without a provider.

        Raises:
            InvalidSettings: a setting is missing, or contradicts another one.
        """
        if not self.oidc_issuer:
            _refuse_leftovers(self)
            return None
        host = _check_address("PAPPUS_OIDC_ISSUER", self.oidc_issuer, "https://id.example.org/realms/plants")
        _check_redirect(self.oidc_redirect_url)
        if not self.oidc_client_id:
            raise InvalidSettings(
                "PAPPUS_OIDC_CLIENT_ID is not set: write the client that the provider made for Pappus."
            )
        if "openid" not in self.oidc_scopes:
            raise InvalidSettings(
                "PAPPUS_OIDC_SCOPES has no openid, without which no provider says who logs in: add it."
            )
        admission = _admission(self)
        return ProviderSettings(
            issuer=self.oidc_issuer,
            client_id=self.oidc_client_id,
            client_secret=_secret(self),
            redirect_url=self.oidc_redirect_url,
            name=self.oidc_name,
            scopes=self.oidc_scopes,
            admission=admission,
            hosts=frozenset({host, *(each.lower() for each in self.oidc_hosts)}),
            ca_file=self.oidc_ca_file,
        )


def is_safe_address(url: str) -> bool:
    """Return whether what is sent to a web address is encrypted, or stays on this machine or in this cluster."""
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.fragment or not url.isprintable() or " " in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_near(host))


def _is_near(host: str) -> bool:
    """Return whether a host is this machine, or has a name that no public one has."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return "." not in host or host.endswith(PRIVATE)


def _check_address(setting: str, url: str, example: str) -> str:
    """Return the host and port of the address of a setting, as it stands there, in lower case."""
    if not is_safe_address(url) or urlsplit(url).query:
        raise InvalidSettings(
            f"{setting} is {url!r}: write an https address, such as {example}. Plain http is for names without a dot"
            " and for this machine."
        )
    return urlsplit(url).netloc.lower()


def _check_redirect(url: str) -> None:
    example = f"https://pappus.example.org{CALLBACK}"
    if not url:
        raise InvalidSettings(
            f"PAPPUS_OIDC_REDIRECT_URL is not set: write the public address of the pages and {CALLBACK}, such as"
            f" {example}, and allow the same at the provider."
        )
    _check_address("PAPPUS_OIDC_REDIRECT_URL", url, example)
    if urlsplit(url).path != CALLBACK:
        raise InvalidSettings(
            f"PAPPUS_OIDC_REDIRECT_URL is {url!r}: the pages take people back at {CALLBACK}, so write {example}."
        )


def _secret(settings: SignOnSettings) -> str:
    given, file = settings.oidc_client_secret.get_secret_value(), settings.oidc_client_secret_file
    if file is not None and not given:
        try:
            given = file.read_text().strip()
        except (OSError, ValueError) as error:
            raise InvalidSettings(
                f"PAPPUS_OIDC_CLIENT_SECRET_FILE is {file}, which cannot be read ({error}): mount the secret there,"
                " readable by the user of this process."
            ) from None
    if not given:
        raise InvalidSettings(
            "PAPPUS_OIDC_CLIENT_SECRET is not set: put the client's secret there, into the file"
            " pappus_oidc_client_secret among the secrets, or into one that PAPPUS_OIDC_CLIENT_SECRET_FILE names."
        )
    return given


def _admission(settings: SignOnSettings) -> Admission:
    if settings.oidc_roles and not settings.oidc_role_claim:
        raise InvalidSettings("PAPPUS_OIDC_ROLES needs PAPPUS_OIDC_ROLE_CLAIM: name the claim that has these values.")
    if settings.oidc_role_claim and not settings.oidc_roles:
        raise InvalidSettings(
            f'PAPPUS_OIDC_ROLE_CLAIM needs PAPPUS_OIDC_ROLES, such as {{"pappus-reviewers": "labeler"}}; the roles are'
            f" {', '.join(get_args(Role))}."
        )
    if not settings.oidc_roles and not settings.oidc_default_role:
        raise InvalidSettings(
            "Nothing gives a new person a role: set PAPPUS_OIDC_ROLE_CLAIM with PAPPUS_OIDC_ROLES, or"
            " PAPPUS_OIDC_DEFAULT_ROLE."
        )
    return Admission(
        name_claim=settings.oidc_name_claim,
        role_claim=settings.oidc_role_claim,
        roles=dict(settings.oidc_roles),
        default_role=settings.oidc_default_role or None,
        email_domains=tuple(each.lower().removeprefix("@") for each in settings.oidc_email_domains),
    )


def _refuse_leftovers(settings: SignOnSettings) -> None:
    if settings.password_login != "everyone":  # noqa: S105 - a word of a setting
        raise InvalidSettings(
            f"PAPPUS_PASSWORD_LOGIN is {settings.password_login}, and there is no provider to log in with: set"
            " PAPPUS_OIDC_ISSUER, or leave it at everyone."
        )
    if settings.oidc_client_id or settings.oidc_redirect_url:
        raise InvalidSettings("PAPPUS_OIDC_ISSUER is not set, but other PAPPUS_OIDC_ settings are: set it, or none.")
