"""The table of rights agrees with the code of the services, and everything that is made from it with the table."""

import ast
from importlib import import_module
from itertools import chain
from pathlib import Path

import pytest

from services.ingestor import handlers as fetcher
from services.ingestor import withdrawals as withdrawn_bytes
from services.labeler.commands import withdrawn_uploads
from services.predictor.batches import handlers as batches
from services.predictor.worker import handlers as worker
from services.trainer.full_lane import __main__ as full_lane
from services.trainer.full_lane import withdrawals as withdrawn_features
from services.trainer.gate import handlers as gate
from services.trainer.recorder import __main__ as recorder
from shared.contract.access import (
    ALL,
    DESCRIBE,
    GROUPS,
    JOBS,
    PRINCIPALS,
    READ,
    WATCHER,
    WRITE,
    acls,
    groups_of,
    may_publish,
    principal_of,
    published_by,
    read_by,
    strimzi_users,
)
from shared.contract.events import EVENTS, ImageStored, LabelCorrected, ModelPromoted, PromotionRequested
from shared.contract.topics import MONITOR_APP, TOPICS, TRIGGER_APP, dead_letter_topic
from shared.messaging.codec import decode, encode
from shared.runtime.errors import InvalidMessage, PappusError
from shared.testing import image_stored

ROOT = Path(__file__).parents[4]
EVENT_OF_NAME = {event.__name__: event for event in EVENTS}
READING_CALLS = {"subscribe", "on_event", "on_events", "on"}
SOURCES = [
    "services.ingestor.settings",
    "services.labeler.settings",
    "services.predictor.settings",
    "services.trainer.fast_lane.__main__",
    "services.trainer.full_lane.__main__",
    "services.trainer.full_trigger.__main__",
    "services.trainer.gate.__main__",
    "services.trainer.recorder.__main__",
]


def calls(service: str) -> list[ast.Call]:
    """Return every call in the code of a service."""
    files = (ROOT / "services" / service).rglob("*.py")
    nodes = chain.from_iterable(ast.walk(ast.parse(file.read_text())) for file in files)
    return [node for node in nodes if isinstance(node, ast.Call)]


def name_of(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def subscribed(service: str) -> set[str]:
    """Return the topics whose events a service subscribes to, folds, gives to Faust or reads whole."""
    found = set()
    for call in calls(service):
        if name_of(call.func) in READING_CALLS and call.args:
            found.add(name_of(call.args[0]))
        if name_of(call.func) == "reader":  # reader([ModelPromoted.topic])
            found |= {name_of(node.value) for node in ast.walk(call) if isinstance(node, ast.Attribute)}
    return {EVENT_OF_NAME[name].topic for name in found & EVENT_OF_NAME.keys()}


OF_EARLIER_RELEASES = {"prediction.logged"}
"""Their records are read for some weeks, and a replica of an earlier release may still write them."""


@pytest.mark.parametrize("service", PRINCIPALS)
def test_a_service_reads_what_the_table_says(service: str) -> None:
    assert subscribed(service) == {event.topic for event in EVENTS if service in event.readers}


@pytest.mark.parametrize("service", PRINCIPALS)
def test_a_service_makes_the_events_that_the_table_says(service: str) -> None:
    made = {name_of(call.func) for call in calls(service)} & EVENT_OF_NAME.keys()
    published = {event.topic for event in EVENTS if service in event.publishers} - OF_EARLIER_RELEASES
    assert {EVENT_OF_NAME[name].topic for name in made} == published


def test_the_groups_of_the_table_are_those_of_the_services() -> None:
    names = {
        fetcher.GROUP,
        fetcher.UPLOADS_GROUP,
        worker.GROUP,
        batches.GROUP,
        full_lane.GROUP,
        gate.GROUP,
        recorder.GROUP,
    }
    names |= {gate.FULL_GROUP, withdrawn_bytes.GROUP, withdrawn_uploads.GROUP, withdrawn_features.GROUP}
    assert {group.name for group in GROUPS} == names | {TRIGGER_APP, MONITOR_APP}
    for group in GROUPS:
        assert all(group.principal in event.readers for event in group.events), group.name


@pytest.mark.parametrize("module", SOURCES)
def test_the_source_of_a_service_names_its_login(module: str) -> None:
    assert principal_of(import_module(module).SOURCE) == module.split(".")[1]


def test_every_right_is_about_a_topic_or_group_that_exists() -> None:
    topics = {topic.name for topic in TOPICS}
    assert {acl.name for acl in acls() if acl.resource == "topic" and acl.principal != JOBS} <= topics
    assert len({(acl.principal, acl.resource, acl.name) for acl in acls()}) == len(acls())


def allowed(principal: str, operation: str) -> set[str]:
    return {acl.name for acl in acls() if acl.principal == principal and operation in acl.operations}


def test_only_the_trainer_promotes_and_only_the_labeler_corrects() -> None:
    assert [name for name in PRINCIPALS if ModelPromoted.topic in allowed(name, WRITE)] == ["trainer"]
    assert [name for name in PRINCIPALS if LabelCorrected.topic in allowed(name, WRITE)] == ["labeler"]
    assert [name for name in PRINCIPALS if PromotionRequested.topic in allowed(name, WRITE)] == ["labeler"]
    assert [name for name in PRINCIPALS if ImageStored.topic in allowed(name, WRITE)] == ["ingestor"]


def test_no_service_gives_itself_a_right_and_one_reads_dead_letters() -> None:
    for name in PRINCIPALS:
        assert not [acl for acl in acls() if acl.principal == name and (acl.resource == "cluster" or acl.name == "*")]
        letters = [topic for topic in allowed(name, READ) if topic.endswith(".dlq")]
        assert len(letters) == (len(EVENTS) if name == WATCHER else 0)
        assert allowed(name, ALL) == set()


def test_who_watches_sees_every_topic_and_group_and_writes_no_more_for_it() -> None:
    groups = {group.name for group in GROUPS}
    assert {event.topic for event in EVENTS} <= allowed(WATCHER, READ)
    assert groups <= allowed(WATCHER, DESCRIBE)
    assert groups & allowed(WATCHER, READ) == set(groups_of(WATCHER))
    letters = {dead_letter_topic(topic) for topic in read_by(WATCHER)}
    assert allowed(WATCHER, WRITE) == {*published_by(WATCHER), *letters}


@pytest.mark.parametrize(
    ("source", "principal"),
    [
        ("pappus/trainer-gate", "trainer"),
        ("pappus/labeler", "labeler"),
        ("pappus/jobs", "jobs"),
        ("pappus/trainers", None),
        ("pappus/", None),
        ("trainer", None),
        (None, None),
    ],
)
def test_a_source_names_a_login(source: str | None, principal: str | None) -> None:
    assert principal_of(source) == principal


def test_a_reader_refuses_an_event_whose_source_may_not_write_it() -> None:
    event = image_stored()
    written = encode(event, "pappus/ingestor")
    assert decode(event.topic, written) == event
    for source in ("pappus/labeler", "pappus/attacker", "/somewhere"):
        with pytest.raises(InvalidMessage, match=r"image\.stored says it is from"):
            decode(event.topic, written.replace(b"pappus/ingestor", source.encode()))


def test_a_service_cannot_publish_what_it_may_not() -> None:
    with pytest.raises(PappusError, match=r"pappus/predictor may not publish image\.stored"):
        encode(image_stored(), "pappus/predictor")
    assert all(may_publish("pappus/jobs", event) for event in EVENTS)


def test_an_operators_users_have_the_rights_of_the_table() -> None:
    users = {user["metadata"]["name"]: user["spec"] for user in strimzi_users()}
    assert users.keys() == {*PRINCIPALS, JOBS}
    given = {
        (name, acl["resource"]["type"], acl["resource"].get("name", "kafka-cluster"), tuple(acl["operations"]))
        for name, spec in users.items()
        for acl in spec["authorization"]["acls"]
    }
    assert given == {(acl.principal, acl.resource, acl.name, acl.operations) for acl in acls()}
