"""The error of the commands, and reading image files with it."""

from pathlib import Path


class Refused(Exception):
    """A command cannot go on; the text says why and what to do."""


def read_image(path: Path) -> bytes:
    """Return the bytes of an image file. Raises Refused with what to do if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refused(f"Cannot read {path}: {error.strerror or error}.") from error
