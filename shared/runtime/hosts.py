"""Under which host names a server answers.

A page of the internet can give its name a second address, such as 127.0.0.1, and then read a server of its visitor as
if it were its own (DNS rebinding). That takes a name of the public DNS, so a server need only refuse those that are not
its own.
"""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

ANY_HOST = "*"
PRIVATE = (".localhost", ".internal", ".svc", ".cluster.local")
"""Endings that no name of the public DNS has: the machine's own, and those inside a cluster."""


def answers_as(host: str, hosts: Collection[str] = ()) -> bool:
    """Return whether a server answers to a Host header: an address, a name without a dot, a private one, or one of
    `hosts` (in lower case; "*": any)."""
    name = _name(host)
    local = bool(name) and ("." not in name or name.endswith(PRIVATE) or _is_address(name))
    return ANY_HOST in hosts or name in hosts or local


def is_foreign(origins: Collection[str], site: str | None, hosts: Collection[str]) -> bool:
    """Return whether a page of another origin sent a request: by its Origin headers, or without one by its
    Sec-Fetch-Site (None: not sent). `hosts` are its Host headers. Clients that are no browsers send neither."""
    if not origins:
        return (site or "none") not in ("none", "same-origin")
    own = {f"{scheme}://{host}".lower() for scheme in ("http", "https") for host in hosts}
    return any(origin.lower() not in own for origin in origins)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _name(host: str) -> str:
    """Return the host name of a Host header, lower case; empty if it is malformed."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
