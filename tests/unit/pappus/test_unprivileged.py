"""The account PostgreSQL runs as when the stack is started as root."""

import os
from pathlib import Path

from pappus.stack.unprivileged import Account, unprivileged_account

STRANGER = Account("stranger", user_id=54321, group_id=54321)


def test_a_closed_folder_on_the_way_keeps_a_stranger_out(tmp_path: Path) -> None:
    inner = tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    assert not STRANGER.may_enter(inner)


def test_passing_through_is_enough(tmp_path: Path) -> None:
    folder = tmp_path / "passage"
    folder.mkdir(mode=0o711)
    folder.chmod(0o711)
    assert STRANGER._may_pass(folder)


def test_the_owner_passes_by_its_own_bits(tmp_path: Path) -> None:
    facts = tmp_path.stat()
    owner = Account("owner", facts.st_uid, facts.st_gid)
    tmp_path.chmod(0o700)
    assert owner._may_pass(tmp_path)


def test_only_root_runs_servers_as_another_user() -> None:
    account = unprivileged_account()
    assert (account is None) == (os.geteuid() != 0)
    assert account is None or account.user_id != 0
