"""A folder that cannot be written is found at the start."""

import errno
import os
from pathlib import Path

import pytest

from shared.runtime.errors import InvalidSettings
from shared.runtime.writable_folder import check_writable


def test_a_missing_folder_is_made_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    folder = check_writable(tmp_path / "a" / "b", "PAPPUS_STATE_FOLDER")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("fault", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_folder_that_cannot_be_written_is_named_with_its_setting(
    fault: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(InvalidSettings, match=rf"PAPPUS_STATE_FOLDER is {tmp_path}.*{os.strerror(fault)}"):
        check_writable(tmp_path, "PAPPUS_STATE_FOLDER")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidSettings, match="File exists"):
        check_writable(tmp_path / "file", "PAPPUS_STATE_FOLDER")
