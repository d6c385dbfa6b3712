"""The API keys of machines: their names, their hashes, and how often each may ask."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shared.runtime.audit import audit
from shared.runtime.errors import PappusError
from shared.runtime.followed_file import FollowedFile
from shared.runtime.health import Health

PART = "api keys"


class ApiKey(BaseModel):
    """One key. `sha256`: of it, in hex. `per_minute`: requests to one replica; None: any number."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    per_minute: int | None = Field(default=None, ge=1)


def read_keys(path: Path) -> list[ApiKey]:
    """Read keys from a JSON file, [{name, sha256, per_minute}]. Raises PappusError if it has another form."""
    try:
        keys = TypeAdapter(list[ApiKey]).validate_python(json.loads(path.read_bytes()))
    except (OSError, ValueError, ValidationError) as error:
        reason = error.errors(include_input=False) if isinstance(error, ValidationError) else error
        form = "Correct PAPPUS_API_KEYS_FILE: it names JSON [{name, sha256, per_minute}]."
        raise PappusError(f"{path} is no list of API keys: {reason}. {form}") from error
    if len({key.name for key in keys}) < len(keys) or len({key.sha256 for key in keys}) < len(keys):
        raise PappusError(f"{path} is no list of API keys: a name or a key stands in it twice. Keep one entry of each.")
    return keys


class _Bucket(NamedTuple):
    """How many requests were left at a time (seconds)."""

    left: float
    at: float


def _tell(act: str, on: str) -> None:
    audit(act, who="the keys file", on=on, outcome="done")


def _tell_changes(before: Mapping[str, ApiKey], now: Mapping[str, ApiKey]) -> None:
    """Write what changed to the audit log."""
    for name in sorted(before.keys() | now.keys()):
        if name not in before:
            _tell("add_key", name)
        elif name not in now:
            _tell("remove_key", name)
        elif before[name] != now[name]:
            _tell("change_key", name)


class ApiKeys:
    """The keys that count now. Before any were set, the API is open."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._keys: tuple[ApiKey, ...] | None = None
        self._buckets: dict[str, _Bucket] = {}

    @classmethod
    def load(cls, path: Path | None) -> "ApiKeys":
        """Return the keys of a file; without a path the API is open. Raises PappusError: at a start, a file that cannot
        be used is no reason to be open."""
        keys = cls()
        if path is not None:
            keys.set_all(read_keys(path))
        return keys

    @property
    def asked_for(self) -> bool:
        """Whether a request needs a key."""
        return self._keys is not None

    def set_all(self, keys: Sequence[ApiKey]) -> None:
        """Make these keys count and no others."""
        if self._keys is None:
            _tell("load_keys", ", ".join(key.name for key in keys))
        else:
            _tell_changes({key.name: key for key in self._keys}, {key.name: key for key in keys})
        self._keys = tuple(keys)
        self._buckets = {key.name: self._buckets[key.name] for key in keys if key.name in self._buckets}

    def followed(self, path: Path | None, health: Health) -> FollowedFile:
        """Return the file, which these keys follow."""

        async def take(path: Path) -> list[str]:
            self.set_all(read_keys(path))
            return []

        return FollowedFile(path, take, health, PART)

    def find(self, presented: bytes) -> ApiKey | None:
        """Return the entry of a key; None if there is none.

        A key is 32 random bytes, which no number of guesses finds: so its plain sha256 is enough, where a password
        would need a slow hash. All entries are compared, each in constant time: the answer tells nothing of them.
        """
        digest, found = hashlib.sha256(presented).hexdigest(), None
        for key in self._keys or ():
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found

    def wait_seconds(self, key: ApiKey) -> float:
        """Count a request of a key and return 0, or how long it has to wait: a minute's requests may come at once, and
        then come back one by one."""
        if key.per_minute is None:
            return 0.0
        now, per_second = self._now(), key.per_minute / 60
        left, at = self._buckets.get(key.name, _Bucket(key.per_minute, now))
        left = min(key.per_minute, left + (now - at) * per_second)
        enough = left >= 1
        self._buckets[key.name] = _Bucket(left - enough, now)
        return 0.0 if enough else (1 - left) / per_second
