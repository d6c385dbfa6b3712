"""What is said about an answer of the predictor, by its id."""

from collections.abc import Sequence
from uuid import UUID

from services.labeler.api.examples.labels import OF_LABELERS, REASON
from services.labeler.api.examples.story import example_image_id, example_sha256
from services.labeler.commands.feedback import IMAGE_NEEDED
from services.labeler.commands.given_answers import PENDING
from shared.clients.feedback import CorrectedAnswer
from shared.contract.events import LabelCorrected, uuid_of
from shared.contract.replicas import PredictionLogged
from shared.http.docs import PICTURE
from shared.http.examples import Example
from shared.http.problems import Problem


def example_prediction_id() -> UUID:
    """Return the id of the answer about the example picture."""
    return uuid_of(PredictionLogged.topic, example_sha256())


def of_feedback(labels: Sequence[str]) -> dict[str, Example]:
    """Return the example of the route that corrects an answer."""
    image_id, prediction_id = example_image_id(), example_prediction_id()
    done = CorrectedAnswer(
        prediction_id=prediction_id,
        state="applied",
        detail=f"Image {image_id} shows {labels[0]} now, and the model learns it.",
        image_id=image_id,
        label=labels[0],
        revision=1,
        event_id=uuid_of(LabelCorrected.topic, image_id, 1),
        links={"image": f"/images/{image_id}", "history": f"/images/{image_id}/history"},
    )
    waits = "The image is accepted, and the label is set as soon as it is stored."
    nothing: dict[str, object] = {"image_id": None, "label": None, "revision": None, "event_id": None, "links": {}}
    return {
        "correct_prediction": Example(
            parameters={"prediction_id": prediction_id},
            body={"file": PICTURE, "label": labels[0], "reason": REASON},
            answers={200: done, 202: done.model_copy(update={"state": "accepted", "detail": waits, **nothing})},
            problems=(
                OF_LABELERS,
                Problem(
                    404,
                    "prediction_unknown",
                    f"There is no answer {prediction_id}. An answer is here within a second or so after it was given,"
                    " and for 14 days; answers about an image that was taken back are deleted.",
                ),
                Problem(
                    409,
                    "other_image",
                    "These are not the bytes that the answer is about. Send the file that was asked about.",
                ),
                Problem(409, "not_answered", PENDING),
                Problem(422, "image_needed", IMAGE_NEEDED, {"sha256": example_sha256()}),
            ),
        ),
    }
