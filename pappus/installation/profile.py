"""Profiles: TOML files that describe one installation each."""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pappus.errors import Refused, read_text

FROM_FILE = "_file"


@dataclass(frozen=True, slots=True)
class Profile:
    """The settings of one file. A list of addresses is one text, with spaces between them."""

    path: Path
    values: Mapping[str, str]

    @classmethod
    def read(cls, name: str, origin: str, environment: Mapping[str, str], known: Collection[str]) -> "Profile":
        """Read the profile of this name, or the file if it is a path; `origin` named it. A key of `known` with `_file`
        at its end names a file that holds the value, seen from the folder of the profile.

        Raises:
            Refused: it cannot be read, or has a key or a value that is none.
        """
        path = _path(name, environment)
        try:
            content = tomllib.loads(read_text(path, origin))
        except tomllib.TOMLDecodeError as error:
            raise Refused(f"{path} is no TOML: {error}. Correct it.") from error
        values = {}
        for key, value in content.items():
            if key in known:
                values[key] = _text(path, key, value)
            elif (setting := key.removesuffix(FROM_FILE)) in known:
                values[setting] = read_text(
                    path.parent / Path(_text(path, key, value)).expanduser(), f"{key} in {path}"
                )
            else:
                raise Refused(f"{path} has the key {key}, which means nothing. Known are: {', '.join(known)}.")
        return cls(path, {key: value for key, value in values.items() if value})


def _path(name: str, environment: Mapping[str, str]) -> Path:
    if "/" in name or name.endswith(".toml"):
        return Path(name).expanduser()
    folder = environment.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()
    return Path(folder) / "pappus" / f"{name}.toml"


def _text(path: Path, key: str, value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return " ".join(value)
    if not isinstance(value, str):
        raise Refused(f"{key} in {path} is {value!r}: write a text in quotes.")
    return value
