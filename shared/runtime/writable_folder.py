"""A folder that a process needs to write in, looked at when it starts instead of in the middle of its work."""

import tempfile
from pathlib import Path

from shared.runtime.errors import InvalidSettings

ROOM = 1_048_576
"""Bytes that have to fit in."""


def check_writable(folder: Path, setting: str) -> Path:
    """Return the folder, made if it was missing. Raises InvalidSettings, naming `setting`, if nothing can be written
    there or less than ROOM fits in."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(ROOM))
            file.flush()
    except OSError as error:
        raise InvalidSettings(
            f"{setting} is {folder}, where this process cannot write ({error.strerror}): mount a volume there with room"
            " in it, which the user of the process may write, and start again."
        ) from None
    return folder
