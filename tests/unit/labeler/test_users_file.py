"""The users file."""

from pathlib import Path

import pytest

from services.labeler.accounts.users_file import read_users
from shared.runtime.errors import PappusError


def test_users_are_read_with_their_roles(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    path.write_text('[{"name": "anna", "role": "operator", "password": "long enough"}]')

    [anna] = read_users(path)

    assert (anna.name, anna.role) == ("anna", "operator")
    assert "long enough" not in repr(anna)


@pytest.mark.parametrize(
    "text",
    [None, "{", "{}", '[{"name": "anna"}]', '[{"name": "a", "role": "king", "password": "a secret word"}]'],
)
def test_a_file_of_another_form_is_refused_without_showing_passwords(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "users.json"
    if text is not None:
        path.write_text(text)

    with pytest.raises(PappusError, match="no list of users") as refused:
        read_users(path)
    assert "a secret word" not in str(refused.value)
