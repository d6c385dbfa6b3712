"""Certificates of servers: whom a client trusts, and why it trusts one not."""

import ssl
from functools import lru_cache
from pathlib import Path

from shared.runtime.errors import InvalidSettings

EXPIRED, NOT_YET_VALID, WRONG_NAME, WRONG_ADDRESS = 10, 9, 62, 64
"""What OpenSSL calls them (X509_V_ERR_...)."""


@lru_cache(maxsize=32)
def trust(ca_file: Path | None, setting: str) -> ssl.SSLContext:
    """Return a context that takes a server only if `ca_file` signs for it and its name is right. None: the system's
    authorities. `setting` is the setting to correct.

    Raises:
        InvalidSettings: the file cannot be read, or holds no certificate.
    """
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except ssl.SSLError as error:
        raise InvalidSettings(
            f"{setting} is {ca_file}, which holds no certificates that can be read ({error.reason or error}): it wants"
            " the authority's certificate in PEM form."
        ) from None
    except OSError as error:
        raise InvalidSettings(
            f"{setting} is {ca_file}, which cannot be read ({error.strerror}): mount the file there, readable by the"
            " user of this process."
        ) from None


def certificate_error(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """Return what made a client refuse a certificate, from the causes of its error; None if it did not."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) and hasattr(error, "verify_code"):  # aiohttp's has none
            return error
        error = error.__cause__ or error.__context__
    return None


def explain_certificate(error: ssl.SSLCertVerificationError, ca_setting: str, address_setting: str) -> str:
    """Return what is wrong with the certificate that a server shows, and what to correct: the continuation of "it
    shows a certificate that"."""
    match error.verify_code:
        case code if code == EXPIRED:
            return "has expired: give the server a new one."
        case code if code == NOT_YET_VALID:
            return "is not valid yet: compare the clocks of both machines."
        case code if code in (WRONG_NAME, WRONG_ADDRESS):
            return f"is for another name: correct {address_setting}, or give the server one with this name."
        case _:
            return f"was not signed by whom {ca_setting} names ({error.verify_message}): correct {ca_setting}."
