"""The classes of the installation as this process knows them: from the log, and from disk while that is away."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from services.predictor.model.artefact_folder import write_whole
from shared.contract.label_set import LabelSet, LabelSetChanged, configured, with_configured
from shared.runtime.telemetry import logger


class KnownClasses:
    """Which classes a model may name, and what people call each. `labels` are the configured ones; `file`: where the
    last change is kept, so that the last good model can serve after a restart without the log."""

    def __init__(self, labels: Sequence[str], file: Path | None = None) -> None:
        self._labels = labels
        self._file = file
        self._folded = configured(labels)
        self._newest: LabelSetChanged | None = None
        self._kept = self._read()
        self.current = with_configured(_set_of(self._kept), labels)

    def restart(self) -> None:
        """Begin to fold the topic anew; until `show` what was known counts."""
        self._folded, self._newest = configured(self._labels), None

    def fold(self, event: LabelSetChanged) -> None:
        """Take an event of the topic, in its order; one that does not count changes nothing."""
        after = self._folded.after(event)
        if after is not self._folded:
            self._folded, self._newest = after, event

    async def show(self) -> None:
        """Let what is folded count, and keep it."""
        self.current = with_configured(_set_of(self._newest), self._labels)
        if self._file is not None and self._newest != self._kept:
            self._kept = self._newest
            try:
                await asyncio.to_thread(self._write, self._file, self._newest)
            except OSError as error:  # a full disk must not stop serving
                logger.error("the classes could not be kept for the next start", file=str(self._file), error=str(error))

    def _read(self) -> LabelSetChanged | None:
        try:
            return None if self._file is None else LabelSetChanged.model_validate_json(self._file.read_bytes())
        except (OSError, ValidationError):
            return None

    @staticmethod
    def _write(file: Path, event: LabelSetChanged | None) -> None:
        if event is None:
            file.unlink(missing_ok=True)
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, event.model_dump_json().encode())


def _set_of(event: LabelSetChanged | None) -> LabelSet | None:
    return None if event is None else LabelSet(event.classes, event.revision)
