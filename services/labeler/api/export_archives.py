"""Exports with pictures: ZIP archives that are written while the pictures are read, one after the other."""

import asyncio
import json
import zipfile
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import IO

from services.labeler.api.export_formats import SPOOLED_BYTES, Folders, exported_path, facts
from services.labeler.decisions.exported_names import file_name
from services.labeler.queries.exports import Exported
from shared.storage.object_store import ObjectMissing, ObjectStore

READ_AHEAD = 4
"""So many pictures are read from the store before they are written."""
MISSING = "_missing.txt"
SIDE_FOLDERS = {"training": "train", "test": "test", "quarantined": "quarantined"}
"""The folders of Hugging Face's splits; what is quarantined is in neither."""


class _Written:
    """What zipfile has written, until it is taken; it cannot seek, so nothing is changed afterwards."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        """Return what was written since the last call."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


async def archive_of(images: AsyncIterator[Exported], store: ObjectStore, folders: Folders) -> AsyncIterator[bytes]:
    """Yield a ZIP with a folder for each label. Images whose bytes are gone are named in _missing.txt."""
    written = _Written()
    with ExitStack() as stack:
        missing = stack.enter_context(SpooledTemporaryFile(max_size=SPOOLED_BYTES))
        archive = stack.enter_context(zipfile.ZipFile(written, "w"))
        async for row, data in _with_bytes(images, store):
            if data is None:
                missing.write(f"{row['image_id']}\n".encode())
                continue
            archive.writestr(_entry(exported_path(row, folders), row), data)
            yield written.take()
        if missing.tell():
            for chunk in _add_file(archive, written, MISSING, missing):
                yield chunk
    yield written.take()


async def imagefolder_of(images: AsyncIterator[Exported], store: ObjectStore) -> AsyncIterator[bytes]:
    """Yield a ZIP as `datasets.load_dataset("imagefolder")` of Hugging Face reads it: train/ and test/, each with a
    metadata.jsonl that names file, label, and what else is known."""
    written = _Written()
    with ExitStack() as stack:
        archive = stack.enter_context(zipfile.ZipFile(written, "w"))
        metadata: dict[str, IO[bytes]] = {}
        async for row, data in _with_bytes(images, store):
            if data is None:
                continue
            folder = SIDE_FOLDERS[row["side"]]
            name = file_name(row["name"], row["image_id"], row["image_format"])
            archive.writestr(_entry(f"{folder}/{name}", row), data)
            if folder not in metadata:
                metadata[folder] = stack.enter_context(SpooledTemporaryFile(max_size=SPOOLED_BYTES))
            line = json.dumps({"file_name": name} | facts(row), ensure_ascii=False)
            metadata[folder].write(f"{line}\n".encode())
            yield written.take()
        for folder, lines in metadata.items():
            for chunk in _add_file(archive, written, f"{folder}/metadata.jsonl", lines):
                yield chunk
    yield written.take()


def _entry(path: str, row: Exported) -> zipfile.ZipInfo:
    """Return the head of an entry, dated when the image was stored (ZIP knows years from 1980 on)."""
    stored = row["stored_at"].timetuple()
    return zipfile.ZipInfo(path, (max(1980, stored.tm_year), *stored[1:6]))


def _add_file(archive: zipfile.ZipFile, written: _Written, path: str, file: IO[bytes]) -> Iterator[bytes]:
    """Add a file, and yield what is written."""
    file.seek(0)
    with archive.open(zipfile.ZipInfo(path), "w", force_zip64=True) as entry:
        while chunk := file.read(SPOOLED_BYTES):
            entry.write(chunk)
            yield written.take()


async def _with_bytes(
    images: AsyncIterator[Exported], store: ObjectStore
) -> AsyncIterator[tuple[Exported, bytes | None]]:
    """Yield each image with its bytes, None if the store has lost them. Some are read ahead."""

    async def read(row: Exported) -> bytes | None:
        try:
            return await store.get(row["object_key"])
        except ObjectMissing:
            return None

    ahead: deque[tuple[Exported, asyncio.Task[bytes | None]]] = deque()
    try:
        async for row in images:
            ahead.append((row, asyncio.create_task(read(row))))
            if len(ahead) > READ_AHEAD:
                first, task = ahead.popleft()
                yield first, await task
        while ahead:
            first, task = ahead.popleft()
            yield first, await task
    finally:
        for _, task in ahead:
            task.cancel()
