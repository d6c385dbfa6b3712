"""The models that learn from the label, and what operators ask of the gate."""

from collections.abc import Sequence
from datetime import timedelta

from services.labeler.api.examples.images import MANY
from services.labeler.api.examples.story import FORMER, NO_MODEL, NOON, OPERATOR, VERSION
from shared.clients.answers import (
    Accepted,
    ChampionView,
    DriftView,
    FirstModel,
    GateAnswer,
    LiveAccuracy,
    ModelView,
    PromotionView,
)
from shared.contract.events import (
    ClassFigures,
    DriftDetected,
    PromotionRequested,
    RuleOutcome,
    TrainingRequested,
    VerdictEvidence,
    uuid_of,
)
from shared.http.examples import Example
from shared.http.problems import Problem

RULES = [
    RuleOutcome(
        rule="accuracy",
        outcome="passed",
        sentence="57 of 60 test images are right (95.0%); at least 70.0% was needed.",
        figures={"accuracy": 0.95, "images": 60},
    ),
    RuleOutcome(
        rule="corrections_hold",
        outcome="passed",
        sentence="All 1 corrected images are answered as corrected.",
        figures={"corrections": 1, "broken": 0},
    ),
]
SUMMARY = (
    "Promoted: it is no worse than champion and anchor. The reason to change: 1 correction that the champion does not"
    " hold."
)
OF_OPERATORS = (
    Problem(403, "forbidden", "labeler has the role labeler; this needs the role operator. Ask an operator."),
    Problem(422, "invalid_request", "body.reason: Field required"),
)


def of_models(labels: Sequence[str]) -> dict[str, Example]:
    """Return the examples of the routes that show models."""
    model = example_model()
    waits = f"The first model needs 20 trusted images of each label; there are 3 of {labels[0]}, 5 of {labels[1]}."
    none = Problem(404, "model_unknown", f"No model is in service yet. {waits}")
    champion = ChampionView(**model.model_dump(), frozen=False, requested_by=None)
    return {
        "list_models": Example(parameters={"limit": 5}, answers={200: [model]}, problems=(MANY,)),
        "get_model": Example(
            parameters={"version": VERSION},
            answers={200: model.model_copy(update={"evidence": _evidence(labels)})},
            problems=(NO_MODEL,),
        ),
        "get_champion": Example(answers={200: champion}, problems=(none,)),
        "get_first_model": Example(answers={200: FirstModel(waits_for=waits)}),
        "list_drifts": Example(parameters={"limit": 5}, answers={200: [_drift()]}, problems=(MANY,)),
    }


def of_operators() -> dict[str, Example]:
    """Return the examples of the routes that need the role of an operator."""
    requested = Accepted(event_id=uuid_of(TrainingRequested.topic, OPERATOR))
    return {
        "rollback": _of_gate(
            "rollback",
            FORMER,
            "It was better in the rain.",
            f"rolled back from {VERSION} to {FORMER} and froze promotions",
        ),
        "approve": _of_gate("approve", VERSION, "I looked at its answers.", f"approved {VERSION}"),
        "override": _of_gate(
            "override", VERSION, "The test images are old.", f"put {VERSION} into service despite its verdict"
        ),
        "freeze": _of_gate("freeze", None, "A new camera is tested today.", "froze promotions"),
        "unfreeze": _of_gate("unfreeze", None, "The camera is good.", "lifted the freeze of promotions"),
        "train": Example(
            body={"reason": "The images of the new camera are in."},
            answers={202: requested},
            problems=OF_OPERATORS,
        ),
    }


def _of_gate(action: str, version: str | None, reason: str, done: str) -> Example:
    """Return the example of a request to the gate. `version` is None for those that name none, and get no 404."""
    answer = GateAnswer(
        outcome="promoted", version=version or VERSION, sequence=3, summary=f"{OPERATOR} {done}: {reason}"
    )
    accepted = Accepted(event_id=uuid_of(PromotionRequested.topic, OPERATOR, action))
    body = {"reason": reason} if version is None else {"version": version, "reason": reason}
    problems = OF_OPERATORS if version is None else (*OF_OPERATORS, NO_MODEL)
    return Example(body=body, answers={200: answer, 202: accepted}, problems=problems)


def _evidence(labels: Sequence[str]) -> VerdictEvidence:
    classes = tuple(
        ClassFigures(label=label, images=30, right=right, recall=right / 30, low=low, high=high)
        for label, right, low, high in ((labels[0], 28, 0.787, 0.982), (labels[1], 29, 0.833, 0.994))
    )
    return VerdictEvidence(
        gained=1,
        gained_images=(uuid_of("image", "gained"),),
        classes=classes,
        confusion=((28, 2), (1, 29)),
    )


def example_model() -> ModelView:
    promotion = PromotionView(
        sequence=2,
        route="non_inferior",
        summary=SUMMARY,
        verdict=RULES,
        frozen=False,
        requested_by=None,
        promoted_at=NOON,
    )
    return ModelView(
        version=VERSION,
        lane="fast",
        parent=FORMER,
        state="champion",
        sequence=2,
        summary=SUMMARY,
        verdict=RULES,
        metrics={"accuracy": 0.95, "log_loss": 0.14},
        training_images=240,
        test_images=60,
        corrections=1,
        seconds={"fit": 0.01, "write": 0.02, "parity": 0.05},
        trained_at=NOON,
        promoted_at=NOON,
        promotions=[promotion],
        live=LiveAccuracy(answers=40, agreed=38, share=0.95, low=0.835, high=0.986),
    )


def _drift() -> DriftView:
    return DriftView(
        event_id=uuid_of(DriftDetected.topic, VERSION, "features"),
        statistic="features",
        model_version=VERSION,
        detected_at=NOON,
        window_from=NOON - timedelta(minutes=20),
        answers=31,
        value=66.4,
        threshold=61.8,
        figures={"confidence": 0.71, "expected_confidence": 0.93},
        open=True,
    )
