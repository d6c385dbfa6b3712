"""How an event that is sent to a webhook is signed, and when it is tried again. Pure.

The signature is that of Standard Webhooks (https://www.standardwebhooks.com), for which there are libraries:
HMAC-SHA256 over id, timestamp and body, with the time in it so that what was overheard cannot be sent again later.
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Collection
from urllib.parse import urlsplit

from yarl import URL

from shared.runtime.public_addresses import forbidden_address
from shared.web.addresses import refuse_address
from shared.web.urls import DEFAULT_PORTS

PREFIX = "whsec_"
LONGEST_PAUSE_SECONDS = 3600.0
GONE = 410
WEBHOOK_HOSTS = "PAPPUS_WEBHOOK_HOSTS"


def secret_of(key: bytes) -> str:
    """Return a signing key as people give it to the receiver."""
    return PREFIX + b64encode(key).decode()


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of the header `webhook-signature`. `timestamp`: Unix seconds."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.digest(b64decode(secret.removeprefix(PREFIX)), signed, "sha256")
    return f"v1,{b64encode(digest).decode()}"


def pause_seconds(failures: int) -> float:
    """Return how long to wait after so many failures in a row: 1, 2, 4 … s, an hour at most."""
    return min(2.0 ** (failures - 1), LONGEST_PAUSE_SECONDS)


def refuse_webhook(url: str, allowed: Collection[str], setting: str = WEBHOOK_HOSTS) -> str | None:
    """Return why events are not sent to this address, in a sentence; None if they may be. A name is looked at again
    when it is resolved. `allowed`: hosts that may be private, as "host" or "host:port", from this setting."""
    if (why := refuse_address(url)) is not None:
        return why
    try:
        asked = URL(url)  # read as the HTTP client does, which takes full-width digits and dots for plain ones
        host, port = asked.raw_host or "", asked.port or DEFAULT_PORTS[asked.scheme]
    except ValueError:
        return "The host or the port of this address is none: a port is a number from 0 to 65535. Correct it."
    return None if permitted(host, port, allowed) else refuse_host(host, setting)


def host_of(url: str) -> str:
    """Return scheme and host of an address, for logs: the rest may hold a secret. Empty if it is no address."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}" if parts.hostname else ""
    except ValueError:
        return ""


def permitted(host: str, port: int, allowed: Collection[str]) -> bool:
    """Return whether the operator named this host, alone or with this port."""
    return bool({host.lower(), f"{host.lower()}:{port}"} & set(allowed))


def refuse_host(host: str, setting: str = WEBHOOK_HOSTS) -> str | None:
    """Return why no events are sent to a host that is written as an address; None for a public one and for names."""
    try:
        why = forbidden_address(host)
    except ValueError:
        return None
    if why is None:
        return None
    return f"{host} is {why}. Events are sent to public addresses, others only if {setting} names the host."
