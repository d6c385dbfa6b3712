"""Resolves names for the downloader, and checks each address *after* it was resolved.

The connector connects only to the addresses this resolver returns, so a name that resolves differently the second time
(DNS rebinding) gains nothing.
"""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from shared.runtime.public_addresses import forbidden_address
from shared.web.download.rejected import DownloadRejected
from shared.web.fetchable import AllowedHosts, forbidden_detail
from shared.web.rejection import Rejection


class CheckedResolver(AbstractResolver):
    """Resolves through `inner` and keeps the addresses that may be fetched."""

    def __init__(self, allowed: AllowedHosts, inner: AbstractResolver) -> None:
        self._allowed = allowed
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the permitted addresses of `host`.

        Raises:
            DownloadRejected: it has addresses, and none of them is permitted.
            OSError: it has none.
        """
        answers = await self._inner.resolve(host, port, family)
        if self._allowed.permit(host, port):
            return answers
        verdicts = [(answer, forbidden_address(answer["host"])) for answer in answers]
        permitted = [answer for answer, why in verdicts if why is None]
        if answers and not permitted:
            raise DownloadRejected(Rejection("address_forbidden", forbidden_detail(host, str(verdicts[0][1]))))
        return permitted

    async def close(self) -> None:
        await self._inner.close()
