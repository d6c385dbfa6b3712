"""Downloads within limits on time, size and redirects, from checked addresses only."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from aiohttp import ClientResponse, ClientSession, ClientTimeout, CookieJar, TCPConnector
from aiohttp.abc import AbstractResolver

from shared.runtime.retry import RetryPolicy, delay
from shared.web.download.clock import limited, seconds_left
from shared.web.download.failures import rejection_of
from shared.web.download.limits import DownloadSettings
from shared.web.download.lookups import Lookups
from shared.web.download.rejected import DownloadRejected
from shared.web.download.resolver import CheckedResolver
from shared.web.fetchable import AllowedHosts, check_url
from shared.web.rejection import Rejection, too_large
from shared.web.responses import redirect_target, refuse_response
from shared.web.urls import Address

HEADERS = {"User-Agent": "Pappus-ingestor/1", "Accept": "image/*", "Accept-Encoding": "identity"}
HEADER_BYTES = 32_768
"""Of one field of an answer: some servers send policies and cookies longer than aiohttp's 8 kB; it takes 128 fields."""

LoginOf = Callable[[str], Awaitable[str | None]]


async def no_login(_url: str) -> None:
    """No URL has a login but in its text."""


class Downloader:
    """Downloads the bytes behind URLs. Open it with `Downloader.open`."""

    def __init__(self, connector: TCPConnector, settings: DownloadSettings, login_of: LoginOf) -> None:
        self._connector = connector
        self._login_of = login_of
        self._allowed = AllowedHosts.parse(settings.allowed_hosts)
        self._longest_bytes = settings.max_image_bytes
        self._redirects = settings.max_redirects
        self._connect_seconds = settings.fetch_connect_seconds
        self._total_seconds = settings.fetch_total_seconds
        self._policy = RetryPolicy(attempts=settings.fetch_tries)
        self._connections_per_host = settings.fetch_connections_per_host
        self._turns: WeakValueDictionary[tuple[str, str, int], asyncio.Semaphore] = WeakValueDictionary()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: DownloadSettings, names: AbstractResolver | None = None, login_of: LoginOf = no_login
    ) -> AsyncIterator["Downloader"]:
        """Open a downloader with its connections. `names` resolves host names; None: the name servers of the system.
        `login_of` knows the login of a URL that has none in its text."""
        allowed = AllowedHosts.parse(settings.allowed_hosts)
        resolver = CheckedResolver(allowed, Lookups(settings.fetch_lookup_seconds, names))
        connector = TCPConnector(
            resolver=resolver,
            use_dns_cache=False,
            limit=0,  # `_turn` and the caller keep the limits: waiting in here would count as the host's time
        )
        try:
            async with connector:
                yield cls(connector, settings, login_of)
        finally:
            await resolver.close()  # the connector closes only a resolver of its own; lookups under way end here

    async def fetch(self, url: str) -> bytes | Rejection:
        """Return the bytes behind `url`, or why there are none. No text and no answer of a server raises an exception.

        A login goes to the host of its URL and to no other. A retryable rejection is tried again as often as the
        settings say. Waiting for a turn at a host, and for the lookup of its name, does not count as download time.

        Raises:
            TransientError: raised by `login_of`.
        """
        attempt = 1
        while True:
            found = await self._once(url)
            seconds = delay(self._policy, attempt)
            if isinstance(found, bytes) or not found.retryable or seconds is None:
                return found
            await asyncio.sleep(seconds)
            attempt += 1

    async def _once(self, url: str) -> bytes | Rejection:
        address = check_url(url, self._allowed)
        if isinstance(address, Rejection):
            return address
        login = await self._login_of(url)
        async with self._session() as session:
            try:
                return await self._follow(session, address.with_login(login))
            except DownloadRejected as error:
                return error.rejection

    def _session(self) -> ClientSession:
        """Return the cookies of one download, on the connections of all: no cookie passes from one row to another."""
        return ClientSession(
            connector=self._connector,
            connector_owner=False,
            cookie_jar=CookieJar(unsafe=True),  # unsafe: of hosts that are addresses, too
            timeout=ClientTimeout(total=None, sock_connect=self._connect_seconds),
            headers=HEADERS,
            auto_decompress=False,
            max_field_size=HEADER_BYTES,
        )

    async def _follow(self, session: ClientSession, address: Address) -> bytes:
        seconds, logins = self._total_seconds, {}
        for _ in range(self._redirects + 1):
            if address.login is not None:
                logins[address.origin] = address.login
            address = address.with_login(logins.get(address.origin))
            async with self._turn(address):
                found, seconds = await self._ask(session, address, seconds)
            if isinstance(found, bytes):
                return found
            address = found
        raise DownloadRejected(
            Rejection("too_many_redirects", f"More than {self._redirects} redirects, the last to {address}.")
        )

    def _turn(self, address: Address) -> asyncio.Semaphore:
        """Return the semaphore of the connections to this host; it is dropped when no download holds or awaits it."""
        return self._turns.setdefault(address.origin, asyncio.Semaphore(self._connections_per_host))

    async def _ask(self, session: ClientSession, address: Address, seconds: float) -> tuple[bytes | Address, float]:
        """Return the bytes, or where a redirect leads, and the seconds that are left."""
        try:
            async with limited(seconds) as limit:
                found = await self._request(session, address)
                return found, seconds_left(limit)
        except DownloadRejected:
            raise
        except Exception as error:  # the net: all that a URL or a server makes the client raise
            raise DownloadRejected(rejection_of(error, address, self._total_seconds)) from error

    async def _request(self, session: ClientSession, address: Address) -> bytes | Address:
        authorization = address.authorization
        headers = {} if authorization is None else {"Authorization": authorization}
        async with session.get(address.url, headers=headers, allow_redirects=False) as response:
            target = redirect_target(address, response.status, response.headers.get("Location"), self._allowed)
            if isinstance(target, Address):
                return target
            rejection = target or refuse_response(
                address, response.status, response.headers.getall("Content-Encoding", [])
            )
            if rejection is not None:
                raise DownloadRejected(rejection)
            return await self._body(response)

    async def _body(self, response: ClientResponse) -> bytes:
        self._check_size(response.content_length or 0)
        data = bytearray()
        async for chunk in response.content.iter_chunked(65_536):
            data += chunk
            self._check_size(len(data))
        return bytes(data)

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._longest_bytes:
            raise DownloadRejected(too_large(self._longest_bytes))
