"""The pages that a person can open, in the order of the menu."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.labeler.ui.pages import browse, classes, image, live, me, models, people, quarantine, review, upload
from shared.clients.answers import Session
from shared.contract.roles import Role, may_act_as


@dataclass(frozen=True)
class Entry:
    """A page. `path` is its address, without a slash; `icon` the name of a Material symbol; `listed` whether the menu
    shows it, or only its address opens it; `role` what a person has to be at least."""

    page: Callable[[], None]
    title: str
    path: str
    icon: str
    listed: bool = True
    role: Role = "uploader"


ENTRIES = (
    Entry(upload.page, "Add", "upload", "add_photo_alternate"),
    Entry(review.page, "Review", "review", "checklist", role="labeler"),
    Entry(browse.page, "Browse", "browse", "photo_library"),
    Entry(models.page, "Models", "models", "model_training"),
    Entry(classes.page, "Classes", "classes", "category", role="operator"),
    Entry(quarantine.page, "Quarantine", "quarantine", "content_copy"),
    Entry(live.page, "Live", "live", "timeline", role="labeler"),
    Entry(people.page, "People", "people", "group", role="operator"),
    Entry(me.page, "Me", "me", "person"),
    Entry(image.page, "Image", "image", "image", listed=False),
)
"""The first one is the home page."""


def entries_for(session: Session) -> Sequence[Entry]:
    """Return the pages of this person, the home page first."""
    return [entry for entry in ENTRIES if may_act_as(session.role, entry.role)]
