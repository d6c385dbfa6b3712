"""The error of the commands, and reading files with it."""

from pathlib import Path


class Refused(Exception):
    """A command cannot go on; the text says why and what to do."""


def read_image(path: Path) -> bytes:
    """Return the bytes of an image file. Raises Refused with what to do if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refused(f"Cannot read {path}: {error.strerror or error}.") from error


def read_text(path: Path, origin: str) -> str:
    """Return what a text file holds, without the line break at its end. Raises Refused; `origin` is what named it."""
    try:
        return path.read_text().rstrip("\r\n")
    except OSError as error:
        raise Refused(f"{path}, which {origin} names, cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise Refused(f"{path}, which {origin} names, is no text.") from error
