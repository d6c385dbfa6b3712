"""Where the model and the label of the picture come from."""

from collections.abc import Sequence

from services.labeler.api.examples.images import NO_ID, NO_IMAGE
from services.labeler.api.examples.labels import REASON
from services.labeler.api.examples.models import OF_OPERATORS, example_model
from services.labeler.api.examples.story import NO_MODEL, NOON, OPERATOR, USER, VERSION, example_image_id
from shared.clients.answers import AcceptedImage
from shared.clients.lineage import (
    DecisionsOf,
    HoldingDecision,
    HoldingModel,
    ImageStory,
    LearnedCorrection,
    ModelStory,
    TakeOutDone,
    TimeInService,
)
from shared.contract.events import LabelCorrected, uuid_of
from shared.http.examples import Example
from shared.http.problems import Problem

FAR = Problem(422, "invalid_request", "query.limit: Input should be less than or equal to 10000")


def of_lineage(labels: Sequence[str]) -> dict[str, Example]:
    """Return the examples of the routes that say what led to what, and of the one that takes decisions out."""
    image_id = example_image_id()
    event_id = uuid_of(LabelCorrected.topic, image_id, 1)
    learned = LearnedCorrection(
        image_id=image_id,
        revision=1,
        is_new=True,
        event_id=event_id,
        label=labels[0],
        corrected_by=USER,
        corrected_at=NOON,
        reason=REASON,
    )
    model = ModelStory(
        **example_model().model_dump(),
        causes=[event_id],
        caused_by=[learned],
        learned=[learned],
        new_corrections=1,
        parameters={"champion_sequence": 1},
        served=[TimeInService(sequence=2, since=NOON, until=None)],
    )
    holding = HoldingModel(version=VERSION, lane="fast", revision=1, trained_at=NOON, served_from=NOON)
    image = ImageStory(image_id=image_id, side="train", duplicates=[], near_duplicates=[], models=[holding], holding=1)
    taken_out = TakeOutDone(
        image_id=image_id,
        state="taken_out",
        label=None,
        revision=2,
        event_id=uuid_of(LabelCorrected.topic, OPERATOR, image_id, 2),
    )
    return {
        "get_model_story": Example(parameters={"version": VERSION}, answers={200: model}, problems=(NO_MODEL,)),
        "get_image_story": Example(parameters={"image_id": image_id}, answers={200: image}, problems=(NO_IMAGE, NO_ID)),
        "get_decisions": Example(
            parameters={"by": USER, "limit": 5}, answers={200: _decisions(labels)}, problems=(FAR,)
        ),
        "take_out_decision": Example(
            parameters={"image_id": image_id},
            body={"person": USER, "reason": "The account was used by another person."},
            answers={
                200: taken_out,
                202: AcceptedImage(event_id=uuid_of(LabelCorrected.topic, OPERATOR, image_id, 2), image_id=image_id),
            },
            problems=(
                *OF_OPERATORS,
                NO_IMAGE,
                Problem(409, "superseded", "anna was first: revision 2 of this image is another one. Ask again."),
            ),
        ),
    }


def _decisions(labels: Sequence[str]) -> DecisionsOf:
    held = HoldingDecision(
        image_id=example_image_id(),
        revision=1,
        decided_in=1,
        label=labels[0],
        no_label=None,
        decided_at=NOON,
        reason=REASON,
        shown_label=labels[1],
        data_set_label=None,
        label_without=None,
    )
    return DecisionsOf(
        name=USER,
        corrections=3,
        withdrawals=0,
        superseded=0,
        holding=1,
        confirmed=1,
        overturned=1,
        changed=0,
        contradict_model=2,
        contradict_data_set=1,
        contradict_both=1,
        version=VERSION,
        in_service=1,
        held=[held],
    )
