"""What people and models wrote commands no terminal."""

from io import StringIO

import pytest
from rich.table import Table

from pappus.terminal.screen import LiteralConsole

HOSTILE = "\x1b]0;PWNED\x07\x1b[31mred\x9b2J\x7f\x00\u202e"


def printed(what: object) -> str:
    out = StringIO()
    LiteralConsole(file=out, width=80, force_terminal=True, color_system=None, markup=False, emoji=False).print(what)
    return out.getvalue()


def table() -> Table:
    rows = Table("by")
    rows.add_row(HOSTILE)
    return rows


@pytest.mark.parametrize("what", [HOSTILE, table()], ids=["line", "table"])
def test_control_characters_become_pictures(what: object) -> None:
    shown = printed(what)
    assert not [each for each in shown if not each.isprintable() and each != "\n"]
    assert "\u241b[31mred" in shown


def test_lines_and_letters_stay_as_they_are() -> None:
    assert printed("Löwenzahn 蒲公英\nrock [x]") == "Löwenzahn 蒲公英\nrock [x]\n"
