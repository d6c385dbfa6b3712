"""The account that a server runs as when root starts the stack."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from pappus.stack.errors import StackError

CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine."""

    name: str
    user_id: int
    group_id: int

    def own(self, path: Path) -> None:
        """Make this one file or folder belong to the account."""
        os.chown(path, self.user_id, self.group_id)

    def may_enter(self, path: Path) -> bool:
        """Return whether this account may enter `path` and each of its parents."""
        return all(self._may_pass(folder) for folder in (path, *path.parents))

    def _may_pass(self, folder: Path) -> bool:
        facts = folder.stat()
        if facts.st_uid == self.user_id:
            return bool(facts.st_mode & 0o100)
        if facts.st_gid == self.group_id:
            return bool(facts.st_mode & 0o010)
        return bool(facts.st_mode & 0o001)


def unprivileged_account() -> Account | None:
    """Return the account to run servers as if the caller is root; None otherwise: the caller's own account is used."""
    if os.geteuid() != 0:
        return None
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise StackError(
        f"PostgreSQL refuses to run as root, and there is no user {' or '.join(CANDIDATES)}: start pappus as a user."
    )
