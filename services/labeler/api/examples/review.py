"""The picture in a queue of Review."""

from collections.abc import Sequence

from services.labeler.api.examples.images import MANY, NO_IMAGE, example_prediction
from services.labeler.api.examples.labels import OF_LABELERS
from services.labeler.api.examples.story import NOON, example_image_id
from shared.clients.answers import DoubleCheck, ReviewItem, ReviewQueue
from shared.clients.browse import ImageFilter
from shared.clients.review import DoubleChecked, QueueCount, Queues, SavedFilter, Skipped
from shared.http.examples import Example
from shared.http.problems import Problem

NO_NAME = Problem(422, "invalid_request", "body.name: Field required")
NO_TIME = Problem(422, "invalid_request", "body.asked_about: Field required")


def of_review(labels: Sequence[str]) -> dict[str, Example]:
    """Return the examples of the routes of Review."""
    item = ReviewItem(
        image_id=example_image_id(),
        label=labels[0],
        revision=0,
        trust="claimed",
        prediction=example_prediction(labels),
        reason=f"It was uploaded as {labels[0]}, and the model says {labels[1]} (59%).",
    )
    asking = DoubleCheck(contradicting=6, decisions=10, asked_about=NOON)
    asked = ImageFilter(label=[labels[0]], max_confidence=0.7)
    saved = SavedFilter(name="unsure grass", filter=asked, sort="newest")
    counts = [QueueCount(queue="doubtful", waiting=17), QueueCount(queue="my_skipped", waiting=2)]
    return {
        "get_review_queue": Example(
            parameters={"limit": 5, "queue": "contradicts_label"},
            answers={200: ReviewQueue(items=[item], waiting=17, skipped=2, double_check=asking)},
            problems=(MANY, OF_LABELERS),
        ),
        "lease_review_queue": Example(
            body={"limit": 5}, answers={200: ReviewQueue(items=[item], waiting=17)}, problems=(MANY, OF_LABELERS)
        ),
        "count_review_queues": Example(answers={200: Queues(queues=counts, filters=[saved])}, problems=(OF_LABELERS,)),
        "list_filters": Example(answers={200: [saved]}, problems=(OF_LABELERS,)),
        "save_filter": Example(
            body={"name": "unsure grass", "filter": {"label": labels[:1], "max_confidence": 0.7}},
            answers={200: [saved]},
            problems=(OF_LABELERS, NO_NAME),
        ),
        "forget_filter": Example(body={"name": "unsure grass"}, answers={200: []}, problems=(OF_LABELERS, NO_NAME)),
        "skip_image": Example(
            body={"image_id": example_image_id(), "revision": 0},
            answers={200: Skipped(skipped=3)},
            problems=(OF_LABELERS, NO_IMAGE),
        ),
        "answer_double_check": Example(
            body={"asked_about": NOON},
            answers={200: DoubleChecked(answered_until=NOON)},
            problems=(OF_LABELERS, NO_TIME),
        ),
    }
