"""What exported files are called: a name never leads out of its folder, and no two are the same. Pure."""

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from uuid import UUID

UNLABELLED = "_unlabelled"
LONGEST_ENDING = 4
LONGEST = 50
"""Characters: in UTF-8 a name then has at most 255 bytes, which is what usual file systems take."""
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*]')
"""What a name may not have on one of the usual systems."""
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
_FORMATS = {"jpeg": "jpg"}


def file_name(name: str | None, image_id: UUID, image_format: str) -> str:
    """Return what the file of an image is called: the stem of its name, then its id, which no other image has, and the
    ending of its format."""
    stem = _safe((name or "").rpartition(".")[0] or name or "")[:LONGEST].rstrip(" .")
    ending = _safe(_FORMATS.get(image_format.lower(), image_format.lower()))[:LONGEST_ENDING]
    return f"{stem}-{image_id}.{ending}" if stem else f"{image_id}.{ending}"


def folder_names(labels: Iterable[str]) -> Mapping[str | None, str]:
    """Return the folder of each label, and of None for no label. A label that is no name of a folder, or whose folder
    another one has on a system that does not tell large letters from small ones, has a piece of its hash in it."""
    folders: dict[str | None, str] = {None: UNLABELLED}
    taken = {UNLABELLED}
    for label in sorted(labels):
        folder = _safe(label)[:LONGEST].strip(" .")
        if folder != label or folder.casefold() in taken or _RESERVED.match(folder):
            folder = f"{folder}-{sha256(label.encode()).hexdigest()[:12]}".lstrip("-")
        folders[label] = folder
        taken.add(folder.casefold())
    return folders


def _safe(text: str) -> str:
    return _UNSAFE.sub("_", text).lstrip(" .-~")
