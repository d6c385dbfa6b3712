"""What the routes about what goes on answer: the example picture is corrected, all parts keep up but one."""

from collections.abc import Sequence
from datetime import timedelta

from services.labeler.api.examples.labels import OF_LABELERS
from services.labeler.api.examples.models import OF_OPERATORS
from services.labeler.api.examples.story import FORMER, NOON, USER, VERSION, example_image_id
from shared.clients.live import (
    DeadLettersOf,
    GroupView,
    LiveAnswer,
    LiveDecision,
    LiveStory,
    PartsView,
    PartView,
    RedriveOutcome,
    ReplicaView,
)
from shared.http.examples import Example
from shared.http.problems import Problem

TOPIC, GROUP = "image.stored", "predictor-worker"


def of_live(labels: Sequence[str]) -> dict[str, Example]:
    """Return the examples of these routes."""
    answer = LiveAnswer(
        label=labels[1],
        confidence=0.63,
        model_version=FORMER,
        promotion=1,
        answered_at=NOON + timedelta(seconds=0.9),
    )
    decision = LiveDecision(
        revision=1,
        by=USER,
        at=NOON + timedelta(seconds=40),
        label_before=labels[1],
        label=labels[0],
        no_label=None,
        live_in=VERSION,
        promotion=2,
        live_at=NOON + timedelta(seconds=40.4),
    )
    story = LiveStory(
        image_id=example_image_id(),
        name="tiles.png",
        came_at=NOON,
        came_from=USER,
        stored_at=NOON + timedelta(seconds=0.2),
        answer=answer,
        decisions=[decision],
    )
    replica = ReplicaView(
        name="0",
        version=VERSION,
        sequence=2,
        loaded_at=NOON + timedelta(seconds=40.6),
        failed="",
        heard_at=NOON + timedelta(seconds=50.6),
        running=True,
    )
    parts = PartsView(
        groups=[GroupView(name=GROUP, service="predictor", members=1, waiting=0)],
        parts=[PartView(name="projection labeler", ok=True, detail="")],
        replicas=(replica,),
    )
    letters = DeadLettersOf(
        topic=TOPIC,
        group=GROUP,
        count=2,
        redriven=0,
        newest=f"{TOPIC}.dlq/0/1",
        when="2026-05-04 12:00:00",
        reasons=["2 x InvalidMessage: A record on image.stored has no value; an event was expected."],
    )
    outcome = RedriveOutcome(ids=[f"{TOPIC}.dlq/0/1"], place=f"{TOPIC}[0]@17", outcome="would be redriven")
    return {
        "list_stories": Example(answers={200: [story]}, problems=(OF_LABELERS,)),
        "get_parts": Example(answers={200: parts}, problems=(OF_LABELERS,)),
        "list_dead_letters": Example(answers={200: [letters]}, problems=(OF_LABELERS,)),
        "rehearse_redrive": Example(
            parameters={"topic": TOPIC, "group": GROUP},
            answers={200: [outcome]},
            problems=(OF_OPERATORS[0], Problem(422, "invalid_request", "query.topic: Field required")),
        ),
    }
