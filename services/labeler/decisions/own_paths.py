"""Where the pages send a browser on to: to themselves alone."""

from urllib.parse import urlsplit

HOME = "/"
LONGEST = 1500


def own_path(path: str) -> str:
    """Return a path of these pages with its query, or the home page if a browser could take it for another site's:
    `//other.example`, `/\\\\other.example` and what has a scheme are none of ours."""
    harmless = path.isprintable() and "\\" not in path and " " not in path and len(path) <= LONGEST
    return path if harmless and path.startswith("/") and not path.startswith("//") else HOME


def path_of_referrer(referrer: str, host: str) -> str:
    """Return the path of the page that a request comes from, if it is one of this host; else the home page."""
    try:
        parts = urlsplit(referrer)
    except ValueError:
        return HOME
    if not host or parts.netloc.lower() != host.lower():
        return HOME
    return own_path(f"{parts.path or HOME}?{parts.query}" if parts.query else parts.path or HOME)
