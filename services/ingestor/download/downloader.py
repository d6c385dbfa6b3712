"""Downloads that cannot hurt: limits on time, size and redirects, and no address that was not checked."""

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
from services.ingestor.decisions.refusal import ImageRejectedError, Rejection
from services.ingestor.download.resolver import CheckedResolver
from services.ingestor.settings import IngestorSettings
from shared.runtime.errors import TransientError
from shared.runtime.retry import RetryPolicy, retrying

USER_AGENT = "Pappus-ingestor/1"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
TRANSIENT = frozenset({408, 425, 429})  # and every 5xx
GONE = frozenset({404, 410})


class Unfetched(TransientError):
    """This download failed in a way that may pass; `refusal` is what to answer if it does not."""

    def __init__(self, refusal: Rejection) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


class Downloader:
    """Gets the bytes behind URLs. Make one with `Downloader.open`."""

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
        """A downloader with its connections. `names` resolves host names; None asks the system."""
        allowed = AllowedHosts.parse(settings.allowed_hosts)
        connector = TCPConnector(
            resolver=CheckedResolver(allowed, names),
            use_dns_cache=False,
            limit=0,  # the limits are kept by `_turn` and by who calls: waiting in here would count as the host's time
        )
        timeout = ClientTimeout(total=None, sock_connect=settings.fetch_connect_seconds)
        headers = {"User-Agent": USER_AGENT, "Accept": "image/*", "Accept-Encoding": "identity"}
        async with ClientSession(
            connector=connector, timeout=timeout, headers=headers, auto_decompress=False, trust_env=False
        ) as session:
            yield cls(session, settings)

    async def fetch(self, url: str) -> bytes:
        """The bytes behind `url`, tried as often as the settings say while the failure may pass. Waiting for the turn
        at a host costs nothing of the time a download may take.

        Raises:
            Refused: with the reason; retryable if another day may bring another answer.
        """
        try:
            return await retrying(self._policy, lambda: self._once(url))
        except Unfetched as error:
            raise ImageRejectedError(error.refusal) from error

    async def _once(self, url: str) -> bytes:
        try:
            return await self._follow(url)
        except InvalidURL as error:
            detail = f"{url!r} is not a URL that can be fetched ({error})."
            raise ImageRejectedError(Rejection("address_forbidden", detail)) from error
        except TimeoutError as error:
            why = str(error) or f"no complete answer within {self._total_seconds:g} s"
            raise Unfetched(Rejection("timeout", f"{url} took too long ({why}).", retryable=True)) from error
        except (ClientError, OSError) as error:
            detail = f"{url} cannot be reached or broke off ({str(error) or type(error).__name__})."
            raise Unfetched(Rejection("unreachable", detail, retryable=True)) from error

    async def _follow(self, url: str) -> bytes:
        seconds = self._total_seconds
        for _ in range(self._redirects + 1):
            refusal = refuse_url(url, self._allowed)
            if refusal:
                raise ImageRejectedError(refusal)
            address = URL(url)
            async with self._turn(address):
                started = time.monotonic()
                async with asyncio.timeout(seconds):
                    found = await self._ask(address)
            if isinstance(found, bytes):
                return found
            url, seconds = found, seconds - (time.monotonic() - started)
        raise ImageRejectedError(
            Rejection("too_many_redirects", f"More than {self._redirects} redirects, the last to {url}.")
        )

    def _turn(self, address: URL) -> asyncio.Semaphore:
        """The connections to this host; forgotten when nobody has or wants one."""
        fresh = asyncio.Semaphore(self._connections_per_host)
        return self._turns.setdefault((address.host, address.port), fresh)

    async def _ask(self, address: URL) -> bytes | str:
        """The bytes, or the URL it redirects to."""
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
        refusal = refuse_size(size_bytes, self._acceptance)
        if refusal:
            raise ImageRejectedError(refusal)


def _joined(base: URL, location: str) -> str:
    try:
        return str(base.join(URL(location)))
    except ValueError as error:
        detail = f"{base} redirects to {location!r}, which is not a URL ({error})."
        raise ImageRejectedError(Rejection("http_error", detail)) from error


def _check_status(response: ClientResponse) -> None:
    status, url = response.status, response.url
    if status == 200:
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding != "identity":
            raise ImageRejectedError(Rejection("http_error", f"{url} answers in {encoding}, which was not asked for."))
        return
    if status in GONE:
        raise ImageRejectedError(Rejection("not_found", f"{url} answers {status}: there is nothing at this address."))
    if status in TRANSIENT or status >= 500:
        raise Unfetched(Rejection("http_error", f"{url} answers {status}.", retryable=True))
    raise ImageRejectedError(Rejection("http_error", f"{url} answers {status}, where 200 was expected."))
