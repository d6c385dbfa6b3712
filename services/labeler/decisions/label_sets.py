"""What an operator may do with the classes: add one, and give one another name. Pure.

Each name belongs to one class for good, also one that it is not called by any more: so what was decided, learned or
sent under a name never changes its meaning.
"""

from shared.contract.label_set import LabelClass, LabelSet
from shared.runtime.text import check_label, clean_typed

MOST_CLASSES = 1000


class Unfit(ValueError):
    """The change cannot be made; the text says why, and what to do."""


def add_class(current: LabelSet, name: str) -> LabelClass:
    """Return the class to add. Raises Unfit: the name is none, or belongs to a class, or there are too many."""
    name = _checked(name)
    _refuse_taken(current, name, None)
    if len(current.classes) >= MOST_CLASSES:
        raise Unfit(f"There are {len(current.classes)} classes, and no room for more.")
    return LabelClass(id=name, name=name)


def rename_class(current: LabelSet, one: LabelClass, name: str) -> LabelClass:
    """Return the class with another name; the same if it is called so. Raises Unfit: the name is none, or another
    class is or was called so."""
    name = _checked(name)
    _refuse_taken(current, name, one)
    if name == one.name:
        return one
    before = [called for called in (*one.former, one.name) if called not in (one.id, name)]
    return LabelClass(id=one.id, name=name, former=tuple(dict.fromkeys(before)))


def with_class(current: LabelSet, changed: LabelClass) -> tuple[LabelClass, ...]:
    """Return the classes with this one, in the place of the one with its id, or after the others."""
    if changed.id not in current.labels:
        return (*current.classes, changed)
    return tuple(changed if one.id == changed.id else one for one in current.classes)


def _checked(name: str) -> str:
    try:
        return check_label(clean_typed(name))
    except ValueError as error:
        raise Unfit(f"This is no name of a class: {error}. Choose another one.") from error


def _refuse_taken(current: LabelSet, name: str, own: LabelClass | None) -> None:
    """Raise Unfit if another class is or was called so, in small or large letters."""
    for one in current.classes:
        if own is not None and one.id == own.id:
            continue
        for called in one.called:
            if called.casefold() == name.casefold():
                now = "" if called == one.name else f", which is called {one.name!r} now"
                raise Unfit(f"There is a class {called!r}{now}. Choose another name.")
