"""Many models at once, and how two of them differ."""

from collections.abc import Sequence

from services.labeler.api.examples.images import MANY
from services.labeler.api.examples.models import SUMMARY, example_model
from services.labeler.api.examples.story import FORMER, NO_MODEL, NOON, VERSION, example_image_id
from shared.clients.model_history import (
    ComparedImage,
    CurvePoint,
    DataChange,
    DataDifference,
    Generation,
    LastLabels,
    LearnedFrom,
    LearningCurve,
    ModelComparison,
    PromotionPoint,
)
from shared.contract.events import uuid_of
from shared.http.examples import Example


def of_model_history(labels: Sequence[str]) -> dict[str, Example]:
    """Return the examples of the routes that show many models, or two."""
    newest = example_model()
    full = newest.model_copy(
        update={
            "version": FORMER,
            "lane": "full",
            "parent": None,
            "state": "former",
            "sequence": 1,
            "corrections": 0,
            "promotions": [],
            "live": None,
        }
    )
    point = PromotionPoint(
        sequence=2,
        version=VERSION,
        lane="fast",
        route="non_inferior",
        accuracy=0.95,
        frozen=False,
        requested_by=None,
        summary=SUMMARY,
        promoted_at=NOON,
    )
    curve = LearningCurve(
        points=[
            CurvePoint(
                version=VERSION, sequence=2, labels=360, images=240, right=228, accuracy=0.95, low=0.915, high=0.971
            )
        ],
        last=LastLabels(since=FORMER, labels=104, images=240, gained=3, lost=1, low=-0.011, high=0.032, verdict="open"),
    )
    two = {"version": VERSION, "other": FORMER}
    gained = ComparedImage(image_id=uuid_of("image", "gained"), label=labels[0])
    comparison = ModelComparison(version=VERSION, against=FORMER, gained=[gained], lost=[])
    change = DataChange(
        image_id=example_image_id(),
        before=LearnedFrom(label=labels[1], side="train"),
        after=LearnedFrom(label=labels[0], side="train"),
    )
    changed = DataDifference(version=VERSION, against=FORMER, added=0, removed=0, relabelled=1, changes=[change])
    return {
        "list_generations": Example(
            parameters={"limit": 5},
            answers={200: [Generation(model=full, versions=1, served=1, rejected=0, newest=newest)]},
            problems=(MANY,),
        ),
        "list_promotions": Example(parameters={"limit": 5}, answers={200: [point]}, problems=(MANY,)),
        "get_learning_curve": Example(answers={200: curve}),
        "list_versions_on": Example(
            parameters={"version": FORMER, "limit": 5}, answers={200: [newest]}, problems=(NO_MODEL, MANY)
        ),
        "compare_models": Example(parameters=two, answers={200: comparison}, problems=(NO_MODEL,)),
        "get_data_difference": Example(
            parameters={**two, "limit": 5}, answers={200: changed}, problems=(NO_MODEL, MANY)
        ),
    }
