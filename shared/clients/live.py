"""What goes on: the stories of the images that something happened to last, whether all parts keep up, and dead letters,
as the labeler's API answers about them."""

from uuid import UUID

from pydantic import AwareDatetime, TypeAdapter

from shared.clients.answers import Body
from shared.clients.request import ApiRequest
from shared.contract.events import NoLabel

MAX_STORIES = 100
"""The most images of one answer."""


class LiveAnswer(Body):
    """The newest answer about an image. `promotion`: the newest one of its model; None if it never served."""

    label: str
    confidence: float
    model_version: str
    promotion: int | None
    answered_at: AwareDatetime


class LiveDecision(Body):
    """What a person decided. `live_in`: the first model in service that holds it, promoted as number `promotion`, since
    `live_at`; None for one that none holds."""

    revision: int
    by: str
    at: AwareDatetime
    label_before: str | None
    label: str | None
    no_label: NoLabel | None
    live_in: str | None = None
    promotion: int | None = None
    live_at: AwareDatetime | None = None


class LiveStory(Body):
    """What happened to one image. Times are None for what did not happen, or is not known. `refused`: why it is not
    stored. `decisions`: the newest ones that were applied, the oldest first."""

    image_id: UUID
    name: str | None
    came_at: AwareDatetime | None
    came_from: str | None
    stored_at: AwareDatetime | None = None
    refused: str | None = None
    refused_at: AwareDatetime | None = None
    withdrawn_by: str | None = None
    withdrawn_at: AwareDatetime | None = None
    answer: LiveAnswer | None = None
    decisions: list[LiveDecision]


class GroupView(Body):
    """A consumer group: how many members it has now (0: it does not run), and how many records wait for it. `idle`: a
    sentence if it rightly has none."""

    name: str
    service: str
    members: int
    waiting: int
    idle: str = ""


class PartView(Body):
    """A part of the labeler's API: whether it works, and if not, why."""

    name: str
    ok: bool
    detail: str


class ReplicaView(Body):
    """A replica of the predictor, as it said last, at `heard_at`: it answers with `version`, which is promotion
    `sequence`, since `loaded_at` (None: it has no model, or did not say when). `failed`: why it could not load another
    version, empty if it could. `running`: it was heard of lately; replicas say every 10 s how they do."""

    name: str
    version: str | None
    sequence: int | None
    loaded_at: AwareDatetime | None
    failed: str
    heard_at: AwareDatetime
    running: bool


class PartsView(Body):
    """The state of all parts that Kafka and this API know. `why_unknown`: a sentence if Kafka does not say how groups
    and replicas do."""

    groups: list[GroupView]
    parts: list[PartView]
    why_unknown: str = ""
    replicas: tuple[ReplicaView, ...] = ()


class DeadLettersOf(Body):
    """The dead letters of one topic and one group: how many there are, and of how many the original was published
    again. `newest` is the id of the last one, `when` its time (UTC); `reasons` are the most frequent ones."""

    topic: str
    group: str
    count: int
    redriven: int
    newest: str
    when: str
    reasons: list[str]


class RedriveOutcome(Body):
    """What a redrive would do with one message: where it stands, the ids of its dead letters, and the outcome in
    words."""

    ids: list[str]
    place: str
    outcome: str


_STORIES = TypeAdapter(list[LiveStory])
_LETTERS = TypeAdapter(list[DeadLettersOf])
_OUTCOMES = TypeAdapter(list[RedriveOutcome])


def list_stories(limit: int = 20) -> ApiRequest[list[LiveStory]]:
    """Get the stories of the images that something happened to last, at most `limit` (1 to MAX_STORIES), the newest
    first."""
    return ApiRequest("GET", "/stories", _STORIES.validate_json, params={"limit": limit})


def get_parts() -> ApiRequest[PartsView]:
    """Get whether all parts run and keep up."""
    return ApiRequest("GET", "/parts", PartsView.model_validate_json)


def list_dead_letters() -> ApiRequest[list[DeadLettersOf]]:
    """Get how many dead letters there are of each topic and group, and why."""
    return ApiRequest("GET", "/dead-letters", _LETTERS.validate_json)


def rehearse_redrive(topic: str, group: str) -> ApiRequest[list[RedriveOutcome]]:
    """Get what a redrive of the dead letters of this topic and group would do; nothing is published."""
    params = {"topic": topic, "group": group}
    return ApiRequest("GET", "/dead-letters/dry-run", _OUTCOMES.validate_json, params=params)
