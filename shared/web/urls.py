"""URLs as people and servers write them, taken apart without changing what is asked. Pure.

RFC 3986, and where it leaves room what browsers do (WHATWG URL): spaces around a URL do not count, characters that a
request line cannot hold are quoted, everything else is asked as it is written: a server may have signed the text.
"""

import re
from base64 import b64encode
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote, unquote, unquote_to_bytes, urljoin

from yarl import URL

DEFAULT_PORTS = {"http": 80, "https": 443}
MAXIMUM_BYTES = 8000  # RFC 9110, 4.1 recommends that servers take at least this
MAXIMUM_HOST = 253  # characters of a name in the DNS (RFC 1035)
_PARTS = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOST_AND_PORT = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]*))?")
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_AS_WRITTEN = "%:/?[]@!$&'()*+,;=~"  # beside letters, digits and -._
_LOGIN = re.compile(
    r"^(\s*(?:[A-Za-z][A-Za-z0-9+.-]*:)?[/\\]*)"
    r"(?:([^/?#\\]*)@|([^/?#\\@:\[]*:[^/?#\\@]*[^0-9/?#\\@][^/?#\\@]*[/?#\\].*)@)",
    re.DOTALL,
)
"""Everything before the last @ of the authority; the second form is a password in which / ? or # is not quoted. The
functions `login_of` and `url_without_login` of the schema have the same expression."""


class NotAUrl(ValueError):
    """The text is no URL that can be fetched; the text of this exception is the reason, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Address:
    """A URL to ask. `host`: ASCII, lower case, without brackets and final dot. `target`: path and query of the request
    line. `login`: `user:password` as written, None without one; it is no part of the text of this address."""

    scheme: str
    host: str
    port: int
    target: str
    login: str | None = field(default=None, repr=False)

    @property
    def origin(self) -> tuple[str, str, int]:
        """What has to be equal for a login to be sent again (RFC 6454)."""
        return self.scheme, self.host, self.port

    @property
    def url(self) -> URL:
        """The address for an HTTP client, which must not quote it once more."""
        return URL(str(self), encoded=True)

    @property
    def authorization(self) -> str | None:
        """The header Authorization of its login (RFC 7617), None without one."""
        if self.login is None:
            return None
        user, _, password = self.login.partition(":")
        return "Basic " + b64encode(unquote_to_bytes(user) + b":" + unquote_to_bytes(password)).decode()

    def with_login(self, login: str | None) -> "Address":
        """Return the address with this login, unless it has one of its own."""
        return self if self.login is not None else replace(self, login=login)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.target}"


def parse_url(text: str) -> Address:
    """Return the address that `text` names; its fragment is dropped.

    Raises:
        NotAUrl: it names none that can be fetched.
    """
    text = text.strip(" \t\r\n")
    try:
        if len(text.encode("utf-8", "surrogateescape")) > MAXIMUM_BYTES:
            raise NotAUrl(f"it is longer than {MAXIMUM_BYTES} bytes")
        return _parsed(text)
    except UnicodeError as error:
        raise NotAUrl("it has characters that no URL can have") from error


def join_url(base: Address, location: str) -> str:
    """Return the text of the URL to which `location`, the header of a redirect, leads from `base`.

    Raises:
        NotAUrl: it cannot be read at all.
    """
    try:
        return urljoin(str(base), location)
    except ValueError as error:
        raise NotAUrl(str(error)) from error


def without_login(text: str) -> str:
    """Return a text that may be no URL at all, without what would be a user and a password in it."""
    return _LOGIN.sub(r"\1", text)


def _parsed(text: str) -> Address:
    if _CONTROL.search(text):
        raise NotAUrl("it has a control character")
    parts = _PARTS.fullmatch(text)
    scheme, authority, path, query = parts.groups() if parts else (None, None, text, None)
    scheme = (scheme or "").lower()
    if scheme not in DEFAULT_PORTS:
        raise NotAUrl("only http and https addresses are fetched")  # what stands there may be a user
    userinfo, _, rest = (authority or "").rpartition("@")
    found = _HOST_AND_PORT.fullmatch(rest)
    if found is None or "\\" in userinfo:
        raise NotAUrl("its host and port cannot be told apart")  # they are not shown: there may be a password in them
    return Address(
        scheme=scheme,
        host=_host(found[1]),
        port=_port(found[2]) if found[2] else DEFAULT_PORTS[scheme],
        target=_quoted(path or "/") + ("" if query is None else "?" + _quoted(query)),
        login=userinfo or None,
    )


def _port(digits: str) -> int:
    port = int(digits) if len(digits) < 9 else 0
    if not 0 < port < 65_536:
        raise NotAUrl(f"{digits} is not a port")
    return port


def _host(text: str) -> str:
    if not text:
        raise NotAUrl("it names no host")
    try:
        return _ipv6(text[1:-1]) if text.startswith("[") else _name_or_ipv4(text)
    except ValueError as error:
        raise NotAUrl(f"{text[:100]!r} is not a host") from error


def _ipv6(text: str) -> str:
    address = IPv6Address(text)
    if address.scope_id is not None:
        raise ValueError("A network interface is named.")
    return str(address)


def _name_or_ipv4(text: str) -> str:
    """Return the name in ASCII. Numbers that some programs read as an address (127.1, 0x7f000001) are none."""
    name = (URL.build(scheme="http", host=unquote(text, errors="strict")).raw_host or "").removesuffix(".")
    labels = name.split(".")
    if len(name) > MAXIMUM_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("A label is empty or too long, or has a character that host names have not.")
    return str(IPv4Address(name)) if _NUMBER.fullmatch(labels[-1]) else name


def _quoted(text: str) -> str:
    """Return the text with what a request line cannot hold quoted. Bytes of a header that are no UTF-8 stay the same
    bytes."""
    whole = _STRAY_PERCENT.sub("%25", text)
    return quote(whole.encode("utf-8", "surrogateescape"), safe=_AS_WRITTEN)
