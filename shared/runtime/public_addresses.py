"""Which IP addresses are public: no others are connected to where people name the host. Pure.

The guard against server-side request forgery (OWASP SSRF prevention): no address that has a meaning only inside our
network.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

GLOBAL_UNICAST = IPv6Network("2000::/3")  # RFC 4291: all that IANA has given out
SPECIAL = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # IETF protocol assignments: 192.0.0.8 is the dummy address
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # AMT
            "192.88.99.0/24",  # 6to4 relays, deprecated
            "192.175.48.0/24",  # AS112
            "2001::/23",  # IETF protocol assignments: Teredo, benchmarking, ORCHID
            "2001:db8::/32",  # documentation
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation
        ),
    )
)
"""Networks of the IANA registries of special-purpose addresses in which no web server stands, and which Python's
`is_global`, by version, lets through."""
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the IPv4 address that is meant


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
    return _forbidden(address) or (None if address in GLOBAL_UNICAST else f"a reserved address ({address})")


def _forbidden(address: IPv4Address | IPv6Address) -> str | None:
    kinds = (
        (address.is_unspecified, "an unspecified"),
        (address.is_loopback, "a loopback"),
        (address.is_link_local, "a link-local"),
        (address.is_multicast, "a multicast"),
        (address.is_reserved, "a reserved"),
        (not address.is_global, "a private"),
        (any(address in network for network in SPECIAL), "a special-purpose"),
    )
    return next((f"{kind} address ({address})" for holds, kind in kinds if holds), None)
