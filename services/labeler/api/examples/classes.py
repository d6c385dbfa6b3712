"""How an operator adds a class and renames one."""

from collections.abc import Sequence

from services.labeler.api.examples.models import OF_OPERATORS
from shared.clients.answers import Accepted
from shared.clients.classes import ClassChanged, ClassView
from shared.contract.events import uuid_of
from shared.http.examples import Example
from shared.http.problems import Problem

ADDED, RENAMED = "wild daisy", "daisy"


def of_classes(labels: Sequence[str]) -> dict[str, Example]:
    """Return the examples of the routes about classes."""
    event_id = uuid_of("classes")
    accepted, no_name = Accepted(event_id=event_id), Problem(422, "invalid_request", "body.name: Field required")
    unfit = Problem(422, "class_unfit", f"There is a class {labels[0]!r}. Choose another name.")
    busy = Problem(
        409, "superseded", "Other people change the classes at this moment. Look at them again, and try again."
    )
    views = [ClassView(id=label, name=label, images=40, model="learned") for label in labels]
    body = {"reason": "There are more and more of them in the pictures."}
    return {
        "get_classes": Example(answers={200: [*views, ClassView(id=ADDED, name=RENAMED)]}),
        "add_class": Example(
            body={"name": ADDED, **body},
            answers={200: ClassChanged(id=ADDED, name=ADDED, revision=1, event_id=event_id), 202: accepted},
            problems=(*OF_OPERATORS[:1], no_name, unfit, busy),
        ),
        "rename_class": Example(
            parameters={"class_id": ADDED},
            body={"name": RENAMED, **body},
            answers={200: ClassChanged(id=ADDED, name=RENAMED, revision=2, event_id=event_id), 202: accepted},
            problems=(
                *OF_OPERATORS[:1],
                Problem(404, "class_unknown", "There is no class 'moss'. GET /classes lists them."),
                no_name,
                unfit,
                busy,
            ),
        ),
    }
