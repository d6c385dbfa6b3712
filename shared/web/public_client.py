"""Sends signed messages to addresses that other people named, and to public ones only."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from shared.runtime.errors import PappusError
from shared.web.webhooks import GONE, WEBHOOK_HOSTS, permitted, refuse_host, sign

ANSWER_SECONDS = 10.0


class PrivateHost(PappusError):
    """The name of a webhook's host stands for an address inside our network."""


class PublicResolver(AbstractResolver):
    """Resolves names, and refuses addresses that are not public after they were resolved: aiohttp connects only to what
    is returned here, so a name that resolves differently the second time (DNS rebinding) gains nothing."""

    def __init__(self, allowed: tuple[str, ...], setting: str = WEBHOOK_HOSTS) -> None:
        """`allowed`: hosts that may be private, from this setting."""
        self._allowed = allowed
        self._setting = setting
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the public addresses of a host. Raises PrivateHost if it has others only."""
        answers = await self._inner.resolve(host, port, family)
        if permitted(host, port, self._allowed):
            return answers
        public = [answer for answer in answers if refuse_host(answer["host"]) is None]
        if answers and not public:
            raise PrivateHost(f"{host}: {refuse_host(answers[0]['host'])}")
        return public

    async def close(self) -> None:
        await self._inner.close()


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: JSON in `body`, an id that stays the same when it is sent again, and the time of this try."""

    message_id: str
    body: bytes
    at: datetime


async def send_signed(http: aiohttp.ClientSession, url: str, secret: str, message: Message) -> tuple[str, bool] | None:
    """Send a message as Standard Webhooks has it; None if it has arrived, else why not, and whether to stop at once."""
    timestamp = int(message.at.timestamp())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Pappus",
        "webhook-id": message.message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret, message.message_id, timestamp, message.body),
    }
    try:
        async with http.post(url, data=message.body, headers=headers, allow_redirects=False) as answer:
            if 200 <= answer.status < 300:
                return None
            return f"It answered {answer.status}.", answer.status == GONE
    except PrivateHost as private:
        return str(private), True
    except TimeoutError:
        return f"It did not answer within {ANSWER_SECONDS:g} s.", False
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return f"It cannot be reached: {error}", False


@asynccontextmanager
async def open_client(allowed: tuple[str, ...], setting: str = WEBHOOK_HOSTS) -> AsyncIterator[aiohttp.ClientSession]:
    """Open a client that connects to public addresses only, and to hosts that are allowed."""
    connector = aiohttp.TCPConnector(resolver=PublicResolver(allowed, setting), limit=100, limit_per_host=2)
    timeout: Any = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        yield http
