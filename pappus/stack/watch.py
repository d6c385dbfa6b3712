"""Which services an edited file belongs to, and the edits as they happen."""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from threading import Event

from watchfiles import Change, DefaultFilter, watch

from pappus.stack.folders import PROJECT
from pappus.stack.services import SERVICES

FOLDERS = ("services", "shared")
SUFFIXES = (".py", ".sql")
QUIET_MILLISECONDS = 300
"""Edits are collected until none came for this long: an editor or git writes several files at once."""


class SourceFilter(DefaultFilter):
    """Lets source files through; caches and the temporary files of editors are left out."""

    def __call__(self, change: Change, path: str) -> bool:
        """Return whether a change of this file counts."""
        return PurePath(path).suffix in SUFFIXES and super().__call__(change, path)


def edits(project: Path = PROJECT, stop: Event | None = None) -> Iterator[list[PurePath]]:
    """Yield the files, relative to `project`, of each group of edits, until `stop` is set or KeyboardInterrupt."""
    folders = [project / name for name in FOLDERS]
    groups = watch(*folders, watch_filter=SourceFilter(), step=QUIET_MILLISECONDS, stop_event=stop)
    for group in groups:
        yield sorted({PurePath(path).relative_to(project) for _, path in group})


def services_of(files: Iterable[PurePath]) -> list[str]:
    """Return the names of the services that load these files (paths relative to the project), in the stack's order.

    Every service loads `shared`, but not `shared/testing`. A folder that is a process is loaded by that process alone,
    the other folders of a service by all its processes.
    """
    files = list(files)
    return [service.name for service in SERVICES if any(_loads(service.module, file) for file in files)]


def _loads(module: str, file: PurePath) -> bool:
    if file.parts[0] == "shared":
        return file.parts[1] != "testing"
    process_folders = [PurePath(*service.module.split(".")) for service in SERVICES]
    own = PurePath(*module.split("."))
    if any(file.is_relative_to(folder) for folder in process_folders):
        return file.is_relative_to(own)
    return file.parts[:2] == own.parts[:2]
