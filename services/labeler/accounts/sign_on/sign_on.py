"""A login with the provider, from the button to the person."""

import hmac
from dataclasses import dataclass
from datetime import datetime

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]

from services.labeler.accounts.logins import TooManyLogins
from services.labeler.accounts.sessions import Principal
from services.labeler.accounts.sign_on.begun_logins import BegunLogin, Seal, begin, finish_once
from services.labeler.accounts.sign_on.errors import Declined, NotAdmitted, NotBegun, ProviderAtFault
from services.labeler.accounts.sign_on.id_tokens import IdTokens
from services.labeler.accounts.sign_on.people import ProviderPeople
from services.labeler.accounts.sign_on.provider import Provider
from services.labeler.accounts.users import Users
from services.labeler.decisions.sign_on import Turned, admit
from services.labeler.settings import LabelerSettings
from shared.tables.database import Database

AT_ONCE = 20
"""How many logins may be finished at a time: each asks the provider, and waits."""
WAIT_SECONDS = 2
SAYS = {
    "access_denied": "it was not allowed there: you pressed Cancel, or the provider keeps you from this client",
    "login_required": "you are not logged in there",
    "consent_required": "you did not agree there",
    "interaction_required": "it wants something of you first",
    "temporarily_unavailable": "it is busy",
    "server_error": "it failed there",
    "invalid_scope": "it does not know a scope of PAPPUS_OIDC_SCOPES",
    "unauthorized_client": "this installation may not log people in there",
}
"""What the codes of RFC 6749, section 4.1.2.1, and OpenID Connect Core 1.0, section 3.1.2.6, mean to a person."""


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """What the browser brings back from the provider: `code`, or `error`. `iss`: who says so (RFC 9207)."""

    state: str
    code: str = ""
    error: str = ""
    iss: str = ""


class SignOn:
    """Logs people in with one provider."""

    def __init__(self, provider: Provider, seal: Seal, people: ProviderPeople, database: Database) -> None:
        self.settings = provider.settings
        self._provider = provider
        self._id_tokens = IdTokens(provider)
        self._seal = seal
        self._people = people
        self._database = database
        self._under_way = 0

    @property
    def name(self) -> str:
        """What people call the provider."""
        return self.settings.name

    async def begin(self, now: datetime) -> tuple[str, str]:
        """Return the address at the provider to go to, and the sealed login that the browser keeps meanwhile.

        Raises:
            ProviderUnavailable, ProviderAtFault: as `Provider.metadata`.
        """
        begun = begin(now)
        return await address_at(self._provider, begun), self._seal.close(begun)

    async def finish(self, sealed: str, answer: ProviderAnswer, now: datetime) -> Principal:
        """Return the person whom the provider's answer logs in.

        Raises:
            SignOnFailed: the login came to nothing; the subclass and the text say why.
            TooManyLogins: wait, then begin again.
            ProviderUnavailable: the provider does not answer.
        """
        begun = self._seal.open(sealed, now)
        if not hmac.compare_digest(begun.state.encode(), answer.state.encode("utf-8", "replace")):
            raise NotBegun("The answer of the provider belongs to another login of this browser. Log in again.")
        if self._under_way >= AT_ONCE:
            raise TooManyLogins(WAIT_SECONDS)
        self._under_way += 1
        try:
            return await self._finish(begun, answer, now)
        finally:
            self._under_way -= 1

    async def _finish(self, begun: BegunLogin, answer: ProviderAnswer, now: datetime) -> Principal:
        await finish_once(self._database, begun, now)
        await self._check_issuer(answer)
        if answer.error or not answer.code:
            says = SAYS.get(answer.error, "it gave no reason that is known here")
            raise Declined(f"{self.settings.name} did not log you in: {says}. Log in again, or in another way.")
        tokens = await self._provider.exchange(answer.code, begun.code_verifier)
        claims = await self._id_tokens.check(tokens, begun.nonce, now)
        person = admit(claims, self.settings.admission)
        if isinstance(person, Turned):
            await self._people.turn_away(person, now)
            raise NotAdmitted(person.why, person.subject)
        return await self._people.let_in(person, now)

    async def _check_issuer(self, answer: ProviderAnswer) -> None:
        """Refuse the answer of another provider (mix-up, RFC 9207)."""
        promised = (await self._provider.metadata()).get("authorization_response_iss_parameter_supported") is True
        if (answer.iss or promised) and answer.iss != self.settings.issuer:
            raise ProviderAtFault(
                f"This answer is not from {self.settings.name}, but from {answer.iss[:200] or 'one without a name'!r}."
                " Log in again; if it stays, tell an admin."
            )


async def address_at(provider: Provider, begun: BegunLogin) -> str:
    """Return where at the provider a browser goes for this login. Raises as `Provider.metadata` does."""
    settings = provider.settings
    url = prepare_grant_uri(
        (await provider.metadata())["authorization_endpoint"],
        settings.client_id,
        "code",
        redirect_uri=settings.redirect_url,
        scope=list(settings.scopes),
        state=begun.state,
        nonce=begun.nonce,
        code_challenge=create_s256_code_challenge(begun.code_verifier),
        code_challenge_method="S256",
    )
    return str(url)


def open_sign_on(provider: Provider, settings: LabelerSettings, database: Database, users: Users) -> SignOn:
    """Return the logins with this provider, over these tables."""
    seal = Seal(settings.session_secret.get_secret_value())
    return SignOn(provider, seal, ProviderPeople(database, users, provider.settings), database)
