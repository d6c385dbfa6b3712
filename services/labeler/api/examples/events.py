"""What the routes about events answer: the example picture is stored, and its label corrected."""

from collections.abc import Sequence
from datetime import timedelta

from services.labeler.api.examples.labels import OF_LABELERS
from services.labeler.api.examples.story import NOON, USER, example_image_id, example_sha256
from shared.clients.events import EventPage, EventView
from shared.contract.events import uuid_of
from shared.http.examples import Example
from shared.http.problems import Problem


def of_events(labels: Sequence[str]) -> dict[str, Example]:
    """Return the examples of the routes about events."""
    image_id = example_image_id()
    stored = EventView(
        number=41,
        event_id=uuid_of("image.stored", image_id),
        type="image.stored",
        occurred_at=NOON,
        image_id=image_id,
        data={"sha256": example_sha256(), "width": 160, "height": 120, "label": labels[1], "registered_by": USER},
    )
    corrected = EventView(
        number=42,
        event_id=uuid_of("label.corrected", image_id),
        type="label.corrected",
        occurred_at=NOON + timedelta(seconds=40),
        image_id=image_id,
        data={"label_from": labels[1], "label_to": labels[0], "revision": 1, "corrected_by": USER},
    )
    return {
        "list_events": Example(
            answers={200: EventPage(items=[stored, corrected], next=42, more=False, newest=42)},
            problems=(
                OF_LABELERS,
                Problem(422, "type_unknown", "No events of the type 'image.seen' are listed. The types are: …"),
            ),
        )
    }
