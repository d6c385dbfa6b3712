"""The account a server drops to when the stack is started as root."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from pappus.stack.errors import StackError

CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine, by number."""

    name: str
    user_id: int
    group_id: int

    def own(self, path: Path) -> None:
        """Make this one file or folder belong to the account."""
        os.chown(path, self.user_id, self.group_id)

    def may_enter(self, path: Path) -> bool:
        """Whether every folder on the way to `path`, and `path` itself, lets this account through."""
        return all(self._may_pass(folder) for folder in (path, *path.parents))

    def _may_pass(self, folder: Path) -> bool:
        facts = folder.stat()
        if facts.st_uid == self.user_id:
            return bool(facts.st_mode & 0o100)
        if facts.st_gid == self.group_id:
            return bool(facts.st_mode & 0o010)
        return bool(facts.st_mode & 0o001)


def unprivileged_account() -> Account | None:
    """The account to drop to when running as root; None for everyone else, who just stays who they are."""
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
