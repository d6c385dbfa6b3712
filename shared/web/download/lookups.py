"""Lookups of host names: name servers of one domain that keep silent slow no other domain."""

import asyncio
import socket
import time
from collections.abc import Callable
from weakref import WeakValueDictionary

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import AsyncResolver
from cachetools import TTLCache

from shared.web.download.clock import paused
from shared.web.download.rejected import DownloadRejected
from shared.web.rejection import Rejection

AT_ONCE = 4
"""Lookups in one domain at once; the others wait for them, and share their fate if nothing is answered."""
SLOW_SECONDS = 1.0
"""A lookup that fails after this time met a silent name server, even if a resolver in between answers something."""
REST_SECONDS = 30.0
"""A domain whose name servers were silent is left alone for this time: its rows are tried again later anyway."""
DOMAINS = 10_000  # remembered at most
SHORT_SUFFIX = 3  # characters of the second-level label in co.uk, com.au, ac.jp


class Lookups(AbstractResolver):
    """Resolves through `inner` (None: c-ares, which holds no thread while it waits), each name within `seconds`. The
    time of the download that asks stands still meanwhile."""

    def __init__(
        self, seconds: float, inner: AbstractResolver | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._inner = inner if inner is not None else AsyncResolver(timeout=seconds / 2, tries=2)
        self._clock = clock
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._silent: TTLCache[str, bool] = TTLCache(DOMAINS, REST_SECONDS, clock)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of `host`.

        Raises:
            DownloadRejected: it has none, or its name servers say nothing.
        """
        domain = domain_of(host)
        with paused():
            async with self._turns.setdefault(domain, asyncio.Semaphore(AT_ONCE)):
                if domain in self._silent:
                    raise _away(f"The name servers of {domain} did not answer a moment ago; {host} was not asked for.")
                return await self._ask(host, port, family, domain)

    async def _ask(self, host: str, port: int, family: socket.AddressFamily, domain: str) -> list[ResolveResult]:
        started = self._clock()
        try:
            async with asyncio.timeout(self._seconds):
                return await self._inner.resolve(host, port, family)
        except TimeoutError as error:
            self._silent[domain] = True
            raise _away(f"The name servers of {host} do not answer.") from error
        except OSError as error:
            if self._clock() - started >= SLOW_SECONDS:
                self._silent[domain] = True
            why = error.strerror or str(error) or type(error).__name__
            raise _away(f"The name {host} leads to no address ({why}).") from error

    async def close(self) -> None:
        await self._inner.close()


def domain_of(host: str) -> str:
    """Return the domain whose name servers know `host`, as far as the name tells: its last two labels, or three where
    the second is as short as in co.uk."""
    labels = host.split(".")
    short = len(labels) > 2 and len(labels[-2]) <= SHORT_SUFFIX and len(labels[-1]) == 2
    return ".".join(labels[-3 if short else -2 :])


def _away(detail: str) -> DownloadRejected:
    return DownloadRejected(Rejection("unreachable", detail, retryable=True))
