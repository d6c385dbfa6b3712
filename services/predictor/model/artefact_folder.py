"""The last artefacts that served well, on disk by hash: a restart needs neither Kafka nor the object store.

Each artefact is `<sha256>.onnx` beside `<sha256>.json`, the promotion it last served for. Everything here blocks; call
it from a thread. Several processes may share a folder: files are written whole and renamed into place.
"""

import hashlib
import os
import tempfile
from pathlib import Path

from pydantic import ValidationError

from shared.contract.events import ModelPromoted
from shared.runtime.errors import PappusError

KEPT = 3


class ArtefactHashMismatch(PappusError):
    """These are not the bytes that were judged. They are never loaded."""


def check_hash(artefact: bytes, promotion: ModelPromoted) -> None:
    """Raises WrongHash unless `artefact` is what the promotion names."""
    found = hashlib.sha256(artefact).hexdigest()
    if found != promotion.artefact_sha256:
        raise ArtefactHashMismatch(
            f"The artefact of {promotion.version} at {promotion.artefact_key} has sha256 {found}, but "
            f"{promotion.artefact_sha256} was promoted. Restore the object, or promote another version."
        )


class ArtefactFolder:
    """The folder of kept artefacts, at most `KEPT` of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, promotion: ModelPromoted) -> bytes | None:
        """The bytes the promotion names, hash checked, or None if they are not here (or damaged, or unreadable)."""
        try:
            artefact = self._artefact(promotion.artefact_sha256).read_bytes()
            check_hash(artefact, promotion)
        except (OSError, ArtefactHashMismatch):
            return None
        return artefact

    def keep(self, promotion: ModelPromoted, artefact: bytes) -> None:
        """Remember that this artefact served well, and forget all but the newest `KEPT`. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        _write_whole(self._artefact(promotion.artefact_sha256), artefact)
        _write_whole(self._promotion_file(promotion.artefact_sha256), promotion.model_dump_json().encode())
        for old in self._promotion_files()[KEPT:]:
            old.unlink(missing_ok=True)
            old.with_suffix(".onnx").unlink(missing_ok=True)

    def promotions(self) -> list[ModelPromoted]:
        """The promotions whose artefacts are here, the one kept last first. Unreadable notes are left out."""
        promotions = []
        for note in self._promotion_files():
            try:
                promotions.append(ModelPromoted.model_validate_json(note.read_bytes()))
            except (OSError, ValidationError):
                continue
        return promotions

    def _artefact(self, sha256: str) -> Path:
        return self._folder / f"{sha256}.onnx"

    def _promotion_file(self, sha256: str) -> Path:
        return self._folder / f"{sha256}.json"

    def _promotion_files(self) -> list[Path]:
        return sorted(self._folder.glob("*.json"), key=_written_at, reverse=True)


def _written_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # another process pruned it
        return 0


def _write_whole(path: Path, content: bytes) -> None:
    """A crash leaves the old file or the new one, never half of it."""
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
