"""What went wrong while a server was asked, as the outcome of the row: nothing that a server does is our exception."""

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorSSLError,
    ClientError,
    ClientPayloadError,
    ClientResponseError,
)

from shared.runtime.telemetry import logger
from shared.web.rejection import Rejection
from shared.web.urls import Address


def rejection_of(error: Exception, address: Address, seconds: float) -> Rejection:
    """Return the outcome of a request to `address`, in a download of `seconds`, that ended with `error`."""
    why = str(error) or type(error).__name__
    match error:
        case TimeoutError():
            why = str(error) or f"no complete answer within {seconds:g} s"
            return Rejection("timeout", f"{address} took too long ({why}).", retryable=True)
        case ClientConnectorCertificateError() | ClientConnectorSSLError():
            return Rejection("unreachable", f"{address} has no certificate that is valid ({why}).", retryable=True)
        case ClientResponseError():
            first = error.message.partition("\n")[0].rstrip(": ")  # the rest quotes the bytes
            return Rejection("http_error", f"{address} answers what is not HTTP ({first}).", retryable=True)
        case ClientPayloadError():
            return Rejection("unreachable", f"{address} broke off ({why.partition(chr(10))[0]}).", retryable=True)
        case OSError() | ClientError():
            return Rejection("unreachable", f"{address} cannot be reached or broke off ({why}).", retryable=True)
    kind = type(error).__name__
    logger.warning("a download ended with an exception of the HTTP client", host=address.host, exception=kind)
    return Rejection("http_error", f"{address} cannot be fetched, or its answer cannot be read ({kind}: {why}).")
