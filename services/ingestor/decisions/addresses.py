"""May we fetch this URL, may we connect to this address? Pure: nothing is resolved or opened here.

The guard against server-side request forgery (OWASP SSRF prevention): only http and https, and no address that has a
meaning only inside our network, unless the operator named the host.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from yarl import URL

from services.ingestor.decisions.rejection import Rejection

SCHEMES = ("http", "https")
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the IPv4 address that is meant


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """Hosts that may be fetched although their address is not public. A port of None stands for every port."""

    entries: frozenset[tuple[str, int | None]] = frozenset()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> "AllowedHosts":
        """Parse "host", "host:port" or "[v6 address]:port". Raises ValueError with the entry that is none of these."""
        return cls(frozenset(_parse(entry) for entry in entries))

    def permit(self, host: str, port: int | None) -> bool:
        """Return whether the operator named this host, alone or with this port."""
        name = host.lower().rstrip(".")
        return (name, None) in self.entries or (name, port) in self.entries


def _parse(entry: str) -> tuple[str, int | None]:
    parts = urlsplit(f"//{entry}")
    if not parts.hostname or parts.netloc != entry:
        raise ValueError(f"{entry!r} is not a host: write host, host:port or [v6 address]:port.")
    return parts.hostname.rstrip("."), parts.port


def refuse_url(text: str, allowed: AllowedHosts) -> Rejection | None:
    """Return why this URL may not be fetched, None if it may. A host *name* still has to pass
    `forbidden_address` once resolved."""
    try:
        url = URL(text)
        host, port = url.host, url.port
    except ValueError as error:
        return Rejection(
            "address_forbidden", f"{text!r} is not a URL ({error}); give a complete http or https address."
        )
    if url.scheme not in SCHEMES:
        scheme = url.scheme or "no scheme"
        return Rejection("address_forbidden", f"{text!r} has {scheme}; only http and https addresses are fetched.")
    if not host:
        return Rejection("address_forbidden", f"{text!r} names no host; give a complete http or https address.")
    if allowed.permit(host, port):
        return None
    return refuse_literal(host)


def refuse_literal(host: str) -> Rejection | None:
    """Return why a host written as an address may not be fetched; None for a public address and for every name."""
    try:
        ip_address(host)
    except ValueError:
        return None
    why = forbidden_address(host)
    return None if why is None else Rejection("address_forbidden", forbidden_detail(host, why))


def forbidden_detail(host: str, why: str) -> str:
    """Return the sentence about a host that is refused."""
    return f"{host} is {why}; public addresses are fetched, others only if the operator allows the host."


def forbidden_address(text: str) -> str | None:
    """Return why no connection to this IP address is allowed, as the end of a sentence, or None.

    Raises:
        ValueError: if `text` is not an IP address.
    """
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        return _forbidden_v6(address)
    return _forbidden(address)


def _forbidden_v6(address: IPv6Address) -> str | None:
    if address.ipv4_mapped or address.sixtofour or address.teredo:
        return f"an IPv4 address inside an IPv6 one ({address})"
    if address in NAT64:
        return _forbidden(IPv4Address(int(address) & 0xFFFF_FFFF))
    if address.is_site_local:
        return f"a private address ({address})"
    return _forbidden(address)


def _forbidden(address: IPv4Address | IPv6Address) -> str | None:
    kinds = (
        (address.is_unspecified, "an unspecified"),
        (address.is_loopback, "a loopback"),
        (address.is_link_local, "a link-local"),
        (address.is_multicast, "a multicast"),
        (address.is_reserved, "a reserved"),
        (not address.is_global, "a private"),
    )
    return next((f"{kind} address ({address})" for holds, kind in kinds if holds), None)
