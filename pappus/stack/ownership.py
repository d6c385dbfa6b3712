"""Which folders are state folders of Pappus: no other is used, and only what Pappus put there is deleted."""

import json
import os
import pwd
import shutil
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pappus.stack.config import StackConfig
from pappus.stack.credentials import Credentials
from pappus.stack.errors import StackError
from pappus.stack.files import write_private
from pappus.stack.folders import PROJECT, StateFolder

FILES = frozenset({"pappus-state.json", "config.json", "credentials.json", "users.json", "api-keys.json"})
FOLDERS = frozenset({"run", "logs", "services", "kafka", "postgres", "s3", "drawn", "certificates"})
# An earlier release made these readable for every user of the machine.
PRIVATE = ("s3", "drawn")
# The entries that every stack had before there was a marker.
UNMARKED_LAYOUT = frozenset({"credentials.json", "users.json", "run", "logs", "services"})
CHOOSE = "choose another folder with --state or PAPPUS_STATE"


class StateMarker(BaseModel):
    """The content of pappus-state.json. `path`: the folder it was written for, links resolved."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["pappus-state"]
    version: Literal[1]
    path: Path


def claim(state: StateFolder) -> None:
    """Create and mark the folder. Only the owner may list it; others may pass through, as PostgreSQL's own user has to.
    A folder of an earlier version, complete and with nothing else in it, is marked too.

    Raises:
        StackError: the folder is something else; nothing is touched.
    """
    refuse_foreign(state)
    state.root.mkdir(parents=True, exist_ok=True)
    if not state.marker.exists():
        marker = StateMarker(format="pappus-state", version=1, path=state.root.resolve())
        write_private(state.marker, marker.model_dump_json(indent=2) + "\n")
    if state.root.stat().st_uid == os.getuid():
        state.root.chmod(0o711)
        for name in PRIVATE:
            if (state.root / name).is_dir():
                (state.root / name).chmod(0o700)
    for folder in (state.run, state.logs, state.services):
        folder.mkdir(mode=0o700, exist_ok=True)


def refuse_foreign(state: StateFolder) -> None:
    """Return only for a state folder of Pappus, an empty folder, or a path that does not exist.

    Raises:
        StackError: the path is a link, a home folder or the project, or the folder is another one.
        OSError: the folder cannot be read, or is a file.
    """
    root = state.root
    if root.is_symlink():
        raise StackError(f"{root} is a link: name the folder it leads to, or {CHOOSE}.")
    _refuse_protected(root)
    if not root.exists():
        return
    names = {entry.name for entry in root.iterdir()}
    if state.marker.name in names:
        _refuse_marked_for_another(state)
    elif names and not _is_earlier_stack(state, names) and not _is_only_a_config(state, names):
        raise StackError(
            f"{root} is no state folder of Pappus and holds other things ({_first(names)}): empty it, or {CHOOSE}."
        )


def refuse_deletion(state: StateFolder) -> None:
    """Return only if everything in the folder may be deleted.

    Raises:
        StackError: the folder has no marker, or holds something that Pappus did not put there.
    """
    refuse_foreign(state)
    if not state.marker.exists():
        raise StackError(
            f"{state.root} has no {state.marker.name}, so nothing says that it may be deleted: start it once with "
            "`pappus up`, which writes that file, or delete the folder yourself."
        )
    foreign = {entry.name for entry in state.root.iterdir() if not _is_own(entry.name)}
    if foreign:
        raise StackError(
            f"{state.root} holds something that Pappus did not put there ({_first(foreign)}), so it is not deleted: "
            "move that away, then reset again."
        )


def delete(state: StateFolder) -> None:
    """Delete the folder, the marker last, so that a reset which was interrupted can be repeated. Raises StackError."""
    refuse_deletion(state)
    for entry in state.root.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry != state.marker:
            entry.unlink()
    state.marker.unlink()
    state.root.rmdir()


def _refuse_protected(root: Path) -> None:
    there = root.resolve()
    homes = {Path.home(), *(Path(entry.pw_dir) for entry in pwd.getpwall())}
    for kind, folder in (*(("a home folder", home) for home in sorted(homes)), ("the project", PROJECT)):
        if folder.is_absolute() and folder.resolve().is_relative_to(there):
            holds = "is" if folder.resolve() == there else "holds"
            raise StackError(f"{root} {holds} {kind} ({folder}), so it cannot be a state folder: {CHOOSE}.")


def _refuse_marked_for_another(state: StateFolder) -> None:
    try:
        marker = StateMarker.model_validate_json(state.marker.read_bytes())
    except ValidationError as error:
        raise StackError(f"{state.marker} is not as this version of Pappus writes it: {CHOOSE}.") from error
    if marker.path != state.root.resolve():
        raise StackError(
            f"{state.root} is the moved or copied state folder of {marker.path}: move it back, or {CHOOSE}. To use it "
            f"here, with nothing of it running, delete {state.marker.name} and start it with `pappus up`."
        )


def _is_earlier_stack(state: StateFolder, names: set[str]) -> bool:
    """Return whether the folder is a complete stack of a version without markers, with nothing else in it."""
    if not names >= UNMARKED_LAYOUT or not all(map(_is_own, names)):
        return False
    try:
        document = json.loads(state.credentials.read_bytes())
        Credentials.model_validate(document)
    except ValueError:
        return False
    return bool(document.keys() == Credentials.model_fields.keys())


def _is_only_a_config(state: StateFolder, names: set[str]) -> bool:
    """Return whether a person wrote the config, and nothing else, before the first start."""
    if names != {state.config.name}:
        return False
    StackConfig.load(state)
    return True


def _is_own(name: str) -> bool:
    """Return whether Pappus gives this name to an entry of a state folder; unfinished files of `write_private`
    included."""
    return name in FILES | FOLDERS or any(fnmatch(name, f".{file}.????????") for file in FILES)


def _first(names: Iterable[str]) -> str:
    first, *more = sorted(names)
    return f"{first} and {len(more)} more" if more else first
