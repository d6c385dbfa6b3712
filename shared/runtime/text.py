"""Text as it is compared: labels, names and reasons in one form of Unicode, and what a label may be. Pure."""

import re
import unicodedata
from collections.abc import Sequence

LABEL_BYTES = 200
LONGEST_ENDING = 10
UNPRINTED = ("Cc", "Cf", "Cs", "Zl", "Zp")
MODEL_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


def to_nfc(text: str) -> str:
    """Return the text in Unicode's form NFC. Some systems write letters and their marks apart (NFD): the same text to
    every reader, another one to a program."""
    return unicodedata.normalize("NFC", text)


def clean_typed(text: str) -> str:
    """Return what a person typed, in NFC and without spaces at its ends."""
    return to_nfc(text).strip()


def clean_file_name(name: str, most: int) -> str | None:
    """Return what a file is called, in NFC and at most `most` characters long; None if nothing is left.

    A path loses its folders (of any system), and the name what is not printed (categories Cc, Cf, Cs, Zl and Zp of
    Unicode: control characters, marks that turn the direction of writing). A long name keeps its ending."""
    last = re.split(r"[/\\]", to_nfc(name))[-1]
    printed = "".join(letter for letter in last if unicodedata.category(letter) not in UNPRINTED).strip()
    if not printed.strip("."):
        return None
    if len(printed) <= most:
        return printed
    stem, dot, ending = printed.rpartition(".")
    kept = dot + ending if stem and len(ending) <= LONGEST_ENDING else ""
    return printed[: most - len(kept)] + kept


def clean_path(path: str, most: int) -> str | None:
    """Return what a file is called with its folders, between which slashes stand, at most `most` characters long; None
    if nothing is left of its name.

    Each part is as `clean_file_name` has it; those that lead elsewhere (`.`, `..`, none) are gone. Of a long path the
    last folders stay that fit before the name."""
    *folders, last = re.split(r"[/\\]", path)
    name = clean_file_name(last, most)
    if name is None:
        return None
    for folder in filter(None, (clean_file_name(each, most) for each in reversed(folders))):
        if len(folder) + 1 + len(name) > most:
            break
        name = f"{folder}/{name}"
    return name


def printable(text: str) -> str:
    """Return text in one line, with everything that a terminal would act on written as an escape."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the labels of an installation in NFC.

    Raises:
        ValueError: there are fewer than two, two are the same, or one is no label. The text names it and says why.
    """
    found = tuple(to_nfc(label) for label in labels)
    for label in found:
        check_label(label)
    if len(found) < 2:
        raise ValueError(f"there are {len(found)} labels; a model needs at least 2 to choose from")
    twice = sorted({label for label in found if found.count(label) > 1})
    if twice:
        raise ValueError(f"the label {twice[0]!r} stands there more than once; each must be different")
    return found


def check_model_name(name: str) -> str:
    """Return the name. Raises ValueError if it is not made of letters, digits, dots, hyphens and underscores."""
    if not MODEL_NAME.fullmatch(name) or not name.strip("."):
        raise ValueError(f"the name {name!r} must have 1 to 100 of the characters A-Z a-z 0-9 . _ -")
    return name


def check_label(label: str) -> str:
    """Return the label. Raises ValueError if it is none; the text names it and says why."""
    try:
        size = len(label.encode())
    except UnicodeEncodeError:
        raise ValueError(f"the label {label!r} is no text that can be written as UTF-8") from None
    if not 1 <= size <= LABEL_BYTES:
        raise ValueError(f"the label {label[:20]!r} has {size} bytes; it may have 1 to {LABEL_BYTES}")
    if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in label):
        raise ValueError(f"the label {label!r} has a control character")
    if label != label.strip():
        raise ValueError(f"the label {label!r} has a space at an end")
    return label
