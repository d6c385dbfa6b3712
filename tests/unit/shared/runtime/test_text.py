"""The names of uploaded files, as they are kept."""

import pytest

from shared.runtime.text import clean_file_name, clean_path


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("leaf.jpg", "leaf.jpg"),
        ("  Löwenzahn 1.JPG ", "Löwenzahn 1.JPG"),
        ("Lo\u0308wenzahn.jpg", "L\u00f6wenzahn.jpg"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\Windows\\leaf.jpg", "leaf.jpg"),
        ("C:\\photos/2026\\leaf.jpg", "leaf.jpg"),
        ("leaf\x00\r\n\x1b[31m.jpg", "leaf[31m.jpg"),
        ("leaf\u202egpj.exe", "leafgpj.exe"),
        ("leaf\ud800.jpg", "leaf.jpg"),
        ("", None),
        ("photos/", None),
        ("..", None),
        (" . ", None),
        ("\x07", None),
    ],
)
def test_of_a_name_its_last_part_is_kept_as_it_is_printed(sent: str, kept: str | None) -> None:
    assert clean_file_name(sent, 200) == kept


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("leaf.jpg", "leaf.jpg"),
        ("dandelion/leaf.jpg", "dandelion/leaf.jpg"),
        ("../../etc/passwd", "etc/passwd"),
        ("/ /meadow//./leaf.jpg", "meadow/leaf.jpg"),
        ("C:\\meadow\\leaf.jpg", "C:/meadow/leaf.jpg"),
        ("mea\x00dow/le\u202eaf.jpg", "meadow/leaf.jpg"),
        ("far/away/meadow/leaf.jpg", "away/meadow/leaf.jpg"),
        ("far/meadow-of-the-whole-year/leaf.jpg", "leaf.jpg"),
        ("meadow/" + "a" * 30 + ".jpg", "a" * 17 + ".jpg"),
        ("meadow/", None),
        ("meadow/..", None),
        ("", None),
    ],
)
def test_a_path_keeps_the_last_folders_that_fit(sent: str, kept: str | None) -> None:
    assert clean_path(sent, 21) == kept


def test_a_long_name_keeps_its_ending() -> None:
    assert clean_file_name("a" * 300 + ".jpg", 20) == "a" * 16 + ".jpg"
    assert clean_file_name("a" * 300 + "." + "b" * 300, 20) == "a" * 20
    assert clean_file_name("." + "a" * 300, 20) == "." + "a" * 19
