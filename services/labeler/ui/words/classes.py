"""The sentences of the page Classes (Markdown), as pure functions of values."""

from services.labeler.ui.messages import plain
from shared.clients.answers import Accepted
from shared.clients.classes import ClassChanged, ClassView

ABOUT = (
    "What an image can show. A new class can be chosen at once; a new name changes what people read, and nothing that"
    " was decided or learned."
)
MODEL = {
    "learned": "the model has learned it",
    "corrections": "the model answers it near corrected images; the next full training learns it",
    "unknown": "the model does not know it yet: it learns from the first corrections to it",
}
NOT_SHOWN_YET = "The change is in the log, and is shown in a moment."


def known_of(one: ClassView) -> str:
    """Return how many images have the class, and what the model in service makes of it."""
    images = f"{one.images:,} image{'' if one.images == 1 else 's'}"
    return f"{images}; {MODEL[one.model]}."


def called_before(one: ClassView) -> str:
    """Return what else the class is or was called; empty if it never had another name."""
    if one.id == one.name and not one.former:
        return ""
    names = ([] if one.id == one.name else [one.id]) + list(one.former)
    return f"Also known as {', '.join(plain(name) for name in names)}: requests and links may say so."


def added(done: ClassChanged | Accepted) -> str:
    """Return what became of a new class."""
    if isinstance(done, Accepted):
        return NOT_SHOWN_YET
    return f"Images can be **{plain(done.name)}** now. Correct some, and the model answers so."


def renamed(done: ClassChanged | Accepted, before: str) -> str:
    """Return what became of a new name; `before` is the one until now."""
    if isinstance(done, Accepted):
        return NOT_SHOWN_YET
    return f"{plain(before)} is called **{plain(done.name)}** now, on every page."
