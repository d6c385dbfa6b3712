"""The last artefacts that served well, on disk by hash: a restart needs neither Kafka nor the object store.

Each artefact is `<sha256>.onnx` beside `<sha256>.json`, the promotion it last served for; `<sha256>.base` is the whole
artefact that a layer belongs to. Everything here blocks; call it from a thread. Several processes may share a folder:
files are written whole and renamed into place.
"""

import hashlib
import os
import tempfile
from pathlib import Path

from pydantic import ValidationError

from shared.contract.events import ModelPromoted
from shared.storage.verified import HashMismatch, check_sha256

KEPT = 3


class ArtefactFolder:
    """The folder of kept artefacts, at most `KEPT` of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, sha256: str) -> bytes | None:
        """Return the bytes with this hash; None if the folder has not got them, or damaged ones."""
        for path in (self._artefact(sha256), self._base(sha256)):
            try:
                artefact = path.read_bytes()
                check_sha256(artefact, sha256, path.name)
            except (OSError, HashMismatch):
                continue
            return artefact
        return None

    def keep(self, promotion: ModelPromoted, artefact: bytes, base: bytes | None = None) -> None:
        """Write the artefact and its promotion, before them the `base` of a layer if it is not there undamaged; delete
        all but the newest `KEPT` of each. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if base is not None:
            _keep_whole(self._base(hashlib.sha256(base).hexdigest()), base)
        _keep_whole(self._artefact(promotion.artefact_sha256), artefact)
        write_whole(self._promotion_file(promotion.artefact_sha256), promotion.model_dump_json().encode())
        for old in self._promotion_files()[KEPT:]:
            old.unlink(missing_ok=True)
            old.with_suffix(".onnx").unlink(missing_ok=True)
        for old in self._newest("*.base")[KEPT:]:
            old.unlink(missing_ok=True)

    def promotions(self) -> list[ModelPromoted]:
        """Return the promotions of the kept artefacts, the newest first. Files that cannot be read are left out."""
        promotions = []
        for file in self._promotion_files():
            try:
                promotions.append(ModelPromoted.model_validate_json(file.read_bytes()))
            except (OSError, ValidationError):
                continue
        return promotions

    def _artefact(self, sha256: str) -> Path:
        return self._folder / f"{sha256}.onnx"

    def _base(self, sha256: str) -> Path:
        return self._folder / f"{sha256}.base"

    def _promotion_file(self, sha256: str) -> Path:
        return self._folder / f"{sha256}.json"

    def _promotion_files(self) -> list[Path]:
        return self._newest("*.json")

    def _newest(self, pattern: str) -> list[Path]:
        return sorted(self._folder.glob(pattern), key=_written_at, reverse=True)


def _written_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # another process pruned it
        return 0


def _keep_whole(path: Path, content: bytes) -> None:
    """Write a file unless it is there undamaged; make it the newest of its kind."""
    try:
        if path.read_bytes() == content:
            os.utime(path)
            return
    except OSError:  # it is not there, or cannot be used
        pass
    write_whole(path, content)


def write_whole(path: Path, content: bytes) -> None:
    """Write to a new file and rename it, so that a crash leaves the old file or the new one, never half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
