"""Which web addresses people may name. Pure.

The ingestor fetches them, and refuses addresses inside our network, after redirects too (`fetchable.py`).
Here only what may not even be written down is refused: the log keeps what it is given without limit.
"""

from urllib.parse import urlsplit

MOST_CHARACTERS = 2000


def refuse_address(text: str) -> str | None:
    """Return why this is no address of an image that can be fetched, in a sentence; None if it may be."""
    if len(text) > MOST_CHARACTERS:
        return f"The address is longer than {MOST_CHARACTERS} characters. Give a shorter one, or upload the file."
    try:
        parts = urlsplit(text)
        host, login = parts.hostname, parts.username is not None or parts.password is not None
    except ValueError:
        host, login = None, False
    if not host or parts.scheme.lower() not in ("http", "https") or not text.isprintable() or " " in text:
        return "This is no web address. Give one that begins with http:// or https://."
    if login:
        return "The address has a name or a password in it, which would be kept. Upload the file instead."
    return None
