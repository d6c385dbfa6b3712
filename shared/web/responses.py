"""What does the head of an answer mean: bytes to take, another address, or a rejection? Pure."""

from collections.abc import Iterable
from dataclasses import replace

from shared.web.fetchable import AllowedHosts, check_url
from shared.web.rejection import Rejection
from shared.web.urls import Address, NotAUrl, join_url, without_login

REDIRECTS = frozenset({301, 302, 303, 307, 308})
TAKEN = frozenset({200, 203})  # 203: a proxy has changed it (RFC 9110, 15.3.4); the picture itself decides
TRANSIENT = frozenset({408, 425, 429})  # and every 5xx
GONE = frozenset({404, 410})
CODINGS = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "dcb", "dcz"})
"""Content codings of the IANA registry that change the bytes. Other words in the header mean nothing."""


def redirect_target(
    address: Address, status: int, location: str | None, allowed: AllowedHosts
) -> Address | Rejection | None:
    """Return where an answer leads, or why that may not be asked; None if it leads nowhere. A public host leads to no
    host that the operator allowed for rows: the owner of the public one would choose what is asked there."""
    if status not in REDIRECTS or not location:
        return None
    try:
        text = join_url(address, location)
    except NotAUrl as error:
        detail = f"{address} redirects to {without_login(location)!r}, which is not a URL ({error})."
        return Rejection("http_error", detail)
    found = check_url(text, allowed)
    if isinstance(found, Rejection):
        return replace(found, detail=f"{address} redirects: {found.detail}")
    if allowed.permit(found.host, found.port) and not allowed.permit(address.host, address.port):
        detail = f"{address} redirects to {found}; hosts that the operator allows are asked only if a row names them."
        return Rejection("address_forbidden", detail)
    return found


def refuse_response(address: Address, status: int, content_encodings: Iterable[str]) -> Rejection | None:
    """Return why the body of an answer is not taken, None if it is. `content_encodings`: the fields of that name."""
    if status in GONE:
        return Rejection("not_found", f"{address} answers {status}: there is nothing at this address.")
    if status in TRANSIENT or status >= 500:
        return Rejection("http_error", f"{address} answers {status}.", retryable=True)
    if status not in TAKEN:
        return Rejection("http_error", f"{address} answers {status}, where 200 was expected.")
    codings = [token.strip().lower() for field in content_encodings for token in field.split(",")]
    known = [coding for coding in codings if coding in CODINGS]
    if known:
        return Rejection("http_error", f"{address} answers in {', '.join(known)}, which was not asked for.")
    return None
