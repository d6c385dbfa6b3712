"""A fake of the labeler's routes that log in with a provider: the real flow over the network, without the tables."""

import asyncio
import json
from datetime import UTC, datetime

import httpx2

from services.labeler.accounts.sign_on.begun_logins import Seal, begin
from services.labeler.accounts.sign_on.id_tokens import IdTokens
from services.labeler.accounts.sign_on.provider import Provider
from services.labeler.accounts.sign_on.sign_on import address_at
from services.labeler.provider_settings import ProviderSettings
from shared.clients.sign_on import BegunLogin, LoginOptions


class FakeSignOn:
    """`settings`: the provider that people log in with; None: there is none."""

    def __init__(self, settings: ProviderSettings | None = None, options: LoginOptions | None = None) -> None:
        self.settings = settings
        self.options = options or LoginOptions(provider=None if settings is None else settings.name)
        self._seal = Seal("a secret of at least thirty-two bytes")

    def answer(self, request: httpx2.Request) -> httpx2.Response | str:
        """Return the answer, or the name of the person who has logged in."""
        if request.url.path.endswith("/options"):
            return httpx2.Response(200, json=self.options.model_dump())
        assert self.settings is not None
        if not request.url.path.endswith("/answer"):
            return httpx2.Response(200, json=self._begin(self.settings).model_dump())
        body = json.loads(request.content)
        if body["error"] or not body["login"]:
            detail = f"{self.settings.name} did not log you in: you pressed Cancel."
            return httpx2.Response(403, json={"error": "login_declined", "detail": detail})
        return asyncio.run(self._finish(Provider(self.settings), body))

    def _begin(self, settings: ProviderSettings) -> BegunLogin:
        begun = begin(datetime.now(UTC))
        address = asyncio.run(address_at(Provider(settings), begun))
        return BegunLogin(address=address, login=self._seal.close(begun))

    async def _finish(self, provider: Provider, body: dict[str, str]) -> str:
        now = datetime.now(UTC)
        begun = self._seal.open(body["login"], now)
        assert begun.state == body["state"]
        tokens = await provider.exchange(body["code"], begun.code_verifier)
        return str((await IdTokens(provider).check(tokens, begun.nonce, now))["preferred_username"])
