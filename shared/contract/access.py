"""Who may do what on the log: derived from the publishers and readers of the events and from the consumer groups.

The rights on the local broker, the users of an operator (Strimzi) and docs/access.md all come from here. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from shared.contract.batches import PredictionRequested
from shared.contract.dead_letter import skipped_group
from shared.contract.events import (
    EVENTS,
    DriftDetected,
    Event,
    ImageRegistered,
    ImageStored,
    ImageWithdrawn,
    LabelCorrected,
    ModelPromoted,
    ModelRejected,
    ModelTrained,
    Principal,
    PromotionRequested,
    TrainingRequested,
)
from shared.contract.replicas import AnswersLogged, PredictionLogged
from shared.contract.topics import FAUST_TOPICS_OF, MONITOR_APP, TRIGGER_APP, dead_letter_topic

PRINCIPALS: tuple[Principal, ...] = get_args(Principal)
JOBS = "jobs"
"""As whom people and the steps of an installation log in: topics are made, dead letters read and redriven."""
WATCHER: Principal = "labeler"
"""Shows operators how all parts do: it may read every topic with its dead letters and see every group. It writes no
more for that."""
SOURCE_PREFIX = "pappus/"
ANY = "*"
CLUSTER = "kafka-cluster"
READ, WRITE, DESCRIBE, ALL = "Read", "Write", "Describe", "All"

Resource = Literal["topic", "group", "cluster"]


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group: who is in it and what it reads."""

    name: str
    principal: Principal
    events: tuple[type[Event], ...]


GROUPS: tuple[Group, ...] = (
    Group("ingestor-fetcher", "ingestor", (ImageRegistered,)),
    Group("ingestor-uploads", "ingestor", (ImageRegistered,)),
    Group("ingestor-withdrawals", "ingestor", (ImageWithdrawn,)),
    Group("labeler-withdrawals", "labeler", (ImageWithdrawn,)),
    Group("predictor-worker", "predictor", (ImageStored,)),
    Group("predictor-batches", "predictor", (PredictionRequested,)),
    Group(MONITOR_APP, "predictor", (PredictionLogged, AnswersLogged, LabelCorrected)),
    Group("trainer-full", "trainer", (TrainingRequested,)),
    Group("trainer-gate", "trainer", (ModelTrained, PromotionRequested)),
    Group("trainer-gate-full", "trainer", (ModelTrained, PromotionRequested)),
    Group("trainer-withdrawals", "trainer", (ImageWithdrawn, ModelTrained)),
    Group("trainer-recorder", "trainer", (ModelTrained, ModelPromoted, ModelRejected)),
    Group(
        TRIGGER_APP,
        "trainer",
        (
            ImageStored,
            ImageWithdrawn,
            LabelCorrected,
            ModelTrained,
            ModelPromoted,
            TrainingRequested,
            DriftDetected,
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Acl:
    """`principal` may do `operations` on the resource of this name (ANY: on all of this kind)."""

    principal: str
    resource: Resource
    name: str
    operations: tuple[str, ...]


def acls() -> tuple[Acl, ...]:
    """Return every right on the broker. What is not here is forbidden."""
    return (
        *(acl for principal in PRINCIPALS for acl in _of_service(principal)),
        Acl(JOBS, "topic", ANY, (ALL,)),
        Acl(JOBS, "group", ANY, (ALL,)),
        Acl(JOBS, "cluster", CLUSTER, (DESCRIBE,)),
    )


def published_by(principal: str) -> list[str]:
    """Return the topics of the events that a service publishes."""
    return [event.topic for event in EVENTS if principal in event.publishers]


def read_by(principal: str) -> list[str]:
    """Return the topics of the events that a service reads."""
    return [event.topic for event in EVENTS if principal in event.readers]


def groups_of(principal: str) -> list[str]:
    """Return the consumer groups of a service."""
    return [group.name for group in GROUPS if group.principal == principal]


def _of_service(principal: Principal) -> Iterator[Acl]:
    """Yield the rights of a service. Who reads a topic may also write its dead letters, and no others."""
    published, read, watches = published_by(principal), read_by(principal), principal == WATCHER
    topics = [event.topic for event in EVENTS]
    for topic in topics:
        if allowed := _allowed(topic in read or watches, topic in published):
            yield Acl(principal, "topic", topic, (*allowed, DESCRIBE))
    for topic in topics:
        if allowed := _allowed(watches, topic in read):
            yield Acl(principal, "topic", dead_letter_topic(topic), (*allowed, DESCRIBE))
    for group in groups_of(principal):
        for internal in FAUST_TOPICS_OF.get(group, ()):  # of an app of Faust, and of no other service
            yield Acl(principal, "topic", internal.name, (READ, WRITE, DESCRIBE))
    for group in groups_of(principal):
        yield Acl(principal, "group", group, (READ, DESCRIBE))
        yield Acl(principal, "group", skipped_group(group), (DESCRIBE,))
    for watched in GROUPS if watches else ():
        if watched.principal != principal:
            yield Acl(principal, "group", watched.name, (DESCRIBE,))


def _allowed(reads: bool, writes: bool) -> tuple[str, ...]:
    return (*((READ,) if reads else ()), *((WRITE,) if writes else ()))


def principal_of(source: str | None) -> str | None:
    """Return as whom the publisher with this CloudEvents source logs in: "pappus/trainer-gate" is the trainer. None if
    it is none of ours."""
    if source is None or not source.startswith(SOURCE_PREFIX):
        return None
    name = source.removeprefix(SOURCE_PREFIX)
    return next((known for known in (*PRINCIPALS, JOBS) if name == known or name.startswith(f"{known}-")), None)


def may_publish(source: str | None, event: type[Event]) -> bool:
    """Return whether an event of this type may come from this source. People may publish anything."""
    principal = principal_of(source)
    return principal == JOBS or principal in event.publishers


def strimzi_users(cluster: str = "pappus", api_version: str = "kafka.strimzi.io/v1") -> list[dict[str, Any]]:
    """Return the KafkaUser resources of Strimzi, one for each principal, for the Kafka resource `cluster`."""
    rights = acls()
    return [
        {
            "apiVersion": api_version,
            "kind": "KafkaUser",
            "metadata": {"name": principal, "labels": {"strimzi.io/cluster": cluster}},
            "spec": {
                "authentication": {"type": "scram-sha-512"},
                "authorization": {
                    "type": "simple",
                    "acls": [_strimzi_acl(acl) for acl in rights if acl.principal == principal],
                },
            },
        }
        for principal in (*PRINCIPALS, JOBS)
    ]


def _strimzi_acl(acl: Acl) -> dict[str, Any]:
    named = {} if acl.resource == "cluster" else {"name": acl.name, "patternType": "literal"}
    return {"resource": {"type": acl.resource, **named}, "operations": list(acl.operations), "host": ANY}
