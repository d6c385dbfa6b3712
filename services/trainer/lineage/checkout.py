"""The images of a data set as files, by side and label, with a list of them."""

import asyncio
import csv
import json
from collections.abc import Sequence
from hashlib import sha256
from io import StringIO
from pathlib import Path

from services.trainer.data import queries
from services.trainer.lineage.decisions.data_sets import DataSet, Entry, name_of
from services.trainer.lineage.models import ModelReader
from shared.runtime.bounded import map_bounded
from shared.runtime.errors import PappusError
from shared.storage.object_store import ObjectMissing
from shared.storage.verified import HashMismatch, get_verified

MARKER, LIST = ".pappus-checkout.json", "manifest.csv"
AT_ONCE = 8
COLUMNS = ("file", "image_id", "sha256", "label", "revision", "side", "in_layer")
BEGINNINGS = ((b"\xff\xd8", "jpg"), (b"\x89PNG", "png"), (b"GIF8", "gif"), (b"BM", "bmp"), (b"RIFF", "webp"))
LONGEST_NAME = 200


class ForeignFolder(PappusError):
    """The folder holds something else."""


async def check_out(reader: ModelReader, version: str, folder: Path) -> dict[str, object]:
    """Write the images of a model's data set as <side>/<label>/<image id>.<format>, and `manifest.csv`. What is there
    already, with the right bytes, stays: an interrupted checkout goes on.

    Returns:
        How many images were written and kept, and the ids of those whose bytes are lost.

    Raises:
        UnknownModel, LostDataSet: see ModelReader.
        ForeignFolder: the folder is not empty, and not one of this data set.
        TransientError: the store or the tables do not answer.
    """
    data_set = await reader.data_set(version)
    await asyncio.to_thread(claim, folder, version, data_set)
    keys = await queries.object_keys(reader.database, [entry.sample.sha256 for entry in data_set.values()])

    async def one(entry: Entry) -> tuple[Path | None, bool]:
        if (there := await asyncio.to_thread(_intact, folder, entry)) is not None:
            return there, False
        key = keys.get(entry.sample.sha256)
        if key is None:  # the image was withdrawn
            return None, False
        try:
            data = await get_verified(reader.store, key, entry.sample.sha256)
        except (ObjectMissing, HashMismatch):
            return None, False
        path = folder / _stem(entry).with_suffix(f".{_format(data)}")
        await asyncio.to_thread(_write, path, data)
        return path, True

    entries = list(data_set.values())
    found = await map_bounded(one, entries, AT_ONCE)
    files = [(path, entry) for (path, _), entry in zip(found, entries, strict=True) if path is not None]
    await asyncio.to_thread(_write, folder / LIST, _listed(folder, files).encode())
    return {
        "version": version,
        "folder": str(folder),
        "images": len(entries),
        "written": sum(new for _, new in found),
        "kept": sum(path is not None and not new for path, new in found),
        "lost": [str(entry.image_id) for (path, _), entry in zip(found, entries, strict=True) if path is None],
    }


def claim(folder: Path, version: str, data_set: DataSet) -> None:
    """Make the folder, and mark it as one of this data set. Raises ForeignFolder."""
    marker, mark = folder / MARKER, {"model": version, "data_set": name_of(data_set)}
    if marker.is_file():
        try:
            known = json.loads(marker.read_text())
        except ValueError:
            known = {}
        if known == mark:
            return
        raise ForeignFolder(
            f"{folder} holds the data set of {known.get('model', 'another model')}. Choose another folder."
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ForeignFolder(f"{folder} is not empty, and no checkout of a data set. Choose a new or an empty folder.")
    folder.mkdir(parents=True, exist_ok=True)
    _write(marker, json.dumps(mark).encode())


def folder_name(label: str) -> str:
    """Return a name of a folder for a label: itself, with what cannot stand in a name as %xx."""
    name = "".join(f"%{ord(each):02X}" if each in "/\\%\0" else each for each in label)
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    return name if 0 < len(name.encode()) <= LONGEST_NAME else sha256(label.encode()).hexdigest()


def _stem(entry: Entry) -> Path:
    return Path(entry.sample.side) / folder_name(entry.sample.label) / str(entry.image_id)


def _intact(folder: Path, entry: Entry) -> Path | None:
    """Return the file of the image if it is there with its bytes."""
    stem = _stem(entry)
    for path in sorted((folder / stem.parent).glob(f"{stem.name}.*")):
        if path.suffix != ".part" and sha256(path.read_bytes()).hexdigest() == entry.sample.sha256:
            return path
    return None


def _format(data: bytes) -> str:
    return next((ending for beginning, ending in BEGINNINGS if data.startswith(beginning)), "image")


def _write(path: Path, data: bytes) -> None:
    """Write the whole file or, after a crash in between, none of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_bytes(data)
    unfinished.replace(path)


def _listed(folder: Path, files: Sequence[tuple[Path, Entry]]) -> str:
    text = StringIO()
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    for path, entry in files:
        sample = entry.sample
        where = path.relative_to(folder)
        facts = (sample.image_id, sample.sha256, sample.label, sample.revision, sample.side)
        rows.writerow((where, *facts, "yes" if entry.in_layer else "no"))
    return text.getvalue()
