"""May we fetch this URL, may we connect to this address? Pure: nothing is resolved or opened here.

The guard against server-side request forgery (OWASP SSRF prevention): only http and https, and no address that has a
meaning only inside our network, unless the operator named the host.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from shared.runtime.public_addresses import forbidden_address
from shared.web.rejection import Rejection
from shared.web.urls import DEFAULT_PORTS, Address, NotAUrl, parse_url, without_login

WEB_PORTS = frozenset(DEFAULT_PORTS.values())
SYSTEM_PORTS_END = 1023  # RFC 6335: below, services that are no web server listen
SHOWN_CHARACTERS = 200


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
    return parse_url(f"http://{entry}/").host, parts.port


def check_url(text: str, allowed: AllowedHosts) -> Address | Rejection:
    """Return the address to ask, or why this URL may not be fetched. A host *name* still has to pass
    `forbidden_address` once resolved."""
    try:
        address = parse_url(text)
    except NotAUrl as error:
        shown = without_login(text.strip())[:SHOWN_CHARACTERS]
        return Rejection(
            "address_forbidden",
            f"{shown!r} is not a URL that can be fetched ({error}); give a complete http or https address.",
        )
    if allowed.permit(address.host, address.port):
        return address
    return _refuse_port(address) or refuse_literal(address.host) or address


def _refuse_port(address: Address) -> Rejection | None:
    port = address.port
    if port in WEB_PORTS or port > SYSTEM_PORTS_END:
        return None
    return Rejection(
        "address_forbidden",
        f"{address} has port {port}; 80, 443 and ports above {SYSTEM_PORTS_END} are fetched, "
        "others only if the operator allows the host.",
    )


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
