"""Downloads within limits on time, size and redirects, from checked addresses only."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, InvalidURL, TCPConnector
from aiohttp.abc import AbstractResolver
from yarl import URL

from services.ingestor.decisions.addresses import AllowedHosts, refuse_url
from services.ingestor.decisions.images import refuse_size
from services.ingestor.decisions.rejection import Rejection
from services.ingestor.download.rejected import DownloadRejected
from services.ingestor.download.resolver import CheckedResolver
from services.ingestor.settings import IngestorSettings
from shared.runtime.retry import RetryPolicy, delay

USER_AGENT = "Pappus-ingestor/1"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
TRANSIENT = frozenset({408, 425, 429})  # and every 5xx
GONE = frozenset({404, 410})


class Downloader:
    """Downloads the bytes behind URLs. Open it with `Downloader.open`."""

    def __init__(self, session: ClientSession, settings: IngestorSettings) -> None:
        self._session = session
        self._allowed = AllowedHosts.parse(settings.allowed_hosts)
        self._acceptance = settings.acceptance
        self._redirects = settings.max_redirects
        self._total_seconds = settings.fetch_total_seconds
        self._policy = RetryPolicy(attempts=settings.fetch_tries)
        self._connections_per_host = settings.fetch_connections_per_host
        self._turns: WeakValueDictionary[tuple[str | None, int | None], asyncio.Semaphore] = WeakValueDictionary()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: IngestorSettings, names: AbstractResolver | None = None
    ) -> AsyncIterator["Downloader"]:
        """Open a downloader with its connections. `names` resolves host names; None: the resolver of the system."""
        allowed = AllowedHosts.parse(settings.allowed_hosts)
        connector = TCPConnector(
            resolver=CheckedResolver(allowed, names),
            use_dns_cache=False,
            limit=0,  # `_turn` and the caller keep the limits: waiting in here would count as the host's time
        )
        timeout = ClientTimeout(total=None, sock_connect=settings.fetch_connect_seconds)
        headers = {"User-Agent": USER_AGENT, "Accept": "image/*", "Accept-Encoding": "identity"}
        async with ClientSession(
            connector=connector, timeout=timeout, headers=headers, auto_decompress=False, trust_env=False
        ) as session:
            yield cls(session, settings)

    async def fetch(self, url: str) -> bytes | Rejection:
        """Return the bytes behind `url`, or why there are none. A retryable rejection is tried again as often as the
        settings say. Waiting for a turn at a host does not count as download time."""
        attempt = 1
        while True:
            found = await self._once(url)
            seconds = delay(self._policy, attempt)
            if isinstance(found, bytes) or not found.retryable or seconds is None:
                return found
            await asyncio.sleep(seconds)
            attempt += 1

    async def _once(self, url: str) -> bytes | Rejection:
        try:
            return await self._follow(url)
        except DownloadRejected as error:
            return error.rejection
        except InvalidURL as error:
            return Rejection("address_forbidden", f"{url!r} is not a URL that can be fetched ({error}).")
        except TimeoutError as error:
            why = str(error) or f"no complete answer within {self._total_seconds:g} s"
            return Rejection("timeout", f"{url} took too long ({why}).", retryable=True)
        except (ClientError, OSError) as error:
            why = str(error) or type(error).__name__
            return Rejection("unreachable", f"{url} cannot be reached or broke off ({why}).", retryable=True)

    async def _follow(self, url: str) -> bytes:
        seconds = self._total_seconds
        for _ in range(self._redirects + 1):
            rejection = refuse_url(url, self._allowed)
            if rejection:
                raise DownloadRejected(rejection)
            address = URL(url)
            async with self._turn(address):
                started = time.monotonic()
                async with asyncio.timeout(seconds):
                    found = await self._ask(address)
            if isinstance(found, bytes):
                return found
            url, seconds = found, seconds - (time.monotonic() - started)
        raise DownloadRejected(
            Rejection("too_many_redirects", f"More than {self._redirects} redirects, the last to {url}.")
        )

    def _turn(self, address: URL) -> asyncio.Semaphore:
        """Return the semaphore of the connections to this host; it is dropped when no download holds or awaits it."""
        fresh = asyncio.Semaphore(self._connections_per_host)
        return self._turns.setdefault((address.host, address.port), fresh)

    async def _ask(self, address: URL) -> bytes | str:
        """Return the bytes, or the URL of a redirect."""
        async with self._session.get(address, allow_redirects=False) as response:
            location = response.headers.get("Location")
            if response.status not in REDIRECTS or location is None:
                return await self._body(response)
            return _joined(response.url, location)

    async def _body(self, response: ClientResponse) -> bytes:
        _check_status(response)
        self._check_size(response.content_length or 0)
        data = bytearray()
        async for chunk in response.content.iter_chunked(65_536):
            data += chunk
            self._check_size(len(data))
        return bytes(data)

    def _check_size(self, size_bytes: int) -> None:
        rejection = refuse_size(size_bytes, self._acceptance)
        if rejection:
            raise DownloadRejected(rejection)


def _joined(base: URL, location: str) -> str:
    try:
        return str(base.join(URL(location)))
    except ValueError as error:
        detail = f"{base} redirects to {location!r}, which is not a URL ({error})."
        raise DownloadRejected(Rejection("http_error", detail)) from error


def _check_status(response: ClientResponse) -> None:
    status, url = response.status, response.url
    if status == 200:
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding != "identity":
            raise DownloadRejected(Rejection("http_error", f"{url} answers in {encoding}, which was not asked for."))
        return
    if status in GONE:
        raise DownloadRejected(Rejection("not_found", f"{url} answers {status}: there is nothing at this address."))
    if status in TRANSIENT or status >= 500:
        raise DownloadRejected(Rejection("http_error", f"{url} answers {status}.", retryable=True))
    raise DownloadRejected(Rejection("http_error", f"{url} answers {status}, where 200 was expected."))
