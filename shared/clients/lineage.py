"""What the labeler's API answers about where a model, an image or a person's decisions come from, and its requests."""

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, TypeAdapter

from shared.clients.answers import AcceptedImage, Body, ModelView
from shared.clients.request import ApiRequest
from shared.clients.withdrawals import Withdrawal
from shared.contract.events import NoLabel

MAX_HELD = 10_000
"""The most decisions of a person the API lists at once."""


class HoldingDecision(Body):
    """A decision of a person that decides what holds for an image, at `revision` of its label. `decided_in` is the
    revision in which the person spoke, with `label`, or `no_label` that says why there is none ("withdrawn": the person
    took a decision back). `shown_label` is the answer that the person saw, `data_set_label` the label that the image
    came with, if that is believed; `label_without` is the label that holds once the decision is taken out."""

    image_id: UUID
    revision: int
    decided_in: int
    label: str | None
    no_label: NoLabel | None
    decided_at: AwareDatetime
    reason: str
    shown_label: str | None
    data_set_label: str | None
    label_without: str | None


class DecisionsOf(Body):
    """What a person decided. Of `corrections`, some hold, and later ones of other people `confirmed` or
    `overturned` others, or the person `changed` them. `superseded` ones came second to another person. `holding`
    counts the images whose label follows this person, be it by a withdrawal. `contradict_model`: another label than
    the answer that the person saw; `contradict_data_set`: another one than the image came with. `version` is the
    model in service, of whose corrections `in_service` are by this person. `held` lists what holds, the newest
    first. `voted`: for themselves and for operators, the images about which the person voted and that are not
    decided."""

    name: str
    corrections: int
    withdrawals: int
    superseded: int
    holding: int
    confirmed: int
    overturned: int
    changed: int
    contradict_model: int
    contradict_data_set: int
    contradict_both: int
    version: str | None
    in_service: int
    held: list[HoldingDecision]
    voted: tuple[UUID, ...] = ()


class TakeOutDone(Body):
    """The label of an image, after a person's decisions about it were taken out; "nothing": there were none to take
    out. `event_id` is the withdrawal, None for nothing."""

    image_id: UUID
    state: Literal["taken_out", "nothing"]
    label: str | None
    revision: int
    event_id: UUID | None = None

    @property
    def outcome(self) -> str:
        return self.state


class LearnedCorrection(Body):
    """A correction that a model holds: whose it is, and what it says. `is_new`: the parent of the model does not hold
    it. `event_id` and what follows it are None if the tables do not show the correction."""

    image_id: UUID
    revision: int
    is_new: bool
    event_id: UUID | None
    label: str | None
    corrected_by: str | None
    corrected_at: AwareDatetime | None
    reason: str | None


class TimeInService(Body):
    """One time in service, of promotion `sequence`."""

    sequence: int
    since: AwareDatetime
    until: AwareDatetime | None


class ModelStory(ModelView):
    """A model and what led to it. `causes` are the ids of the events it was made for, `caused_by` those of them that
    are corrections. `learned` are corrections it holds, new ones first; `new_corrections` is how many are new.
    `served` lists each time in service: from, until (None: still), and under which number."""

    causes: list[UUID]
    caused_by: list[LearnedCorrection]
    learned: list[LearnedCorrection]
    new_corrections: int
    parameters: dict[str, str | int | float]
    served: list[TimeInService]


class HoldingModel(Body):
    """A model whose correction layer holds a correction of an image, at `revision`. `served_from` is when it came into
    service first, None if it never did."""

    version: str
    lane: Literal["fast", "full"]
    revision: int
    trained_at: AwareDatetime
    served_from: AwareDatetime | None


class ImageStory(Body):
    """What is known about an image beside its history. `side` is the side of the split it is on, None until it is
    stored, or if it is quarantined, since it resembles images of both. `duplicates` are images that were refused
    because this one has the same bytes; `near_duplicates` stored images of the same group, or of the groups that a
    quarantined one resembles. `models` hold a correction of it, the newest first, `holding` is how many there are.
    `withdrawal` says who took it back and which models saw it, None if it was not."""

    image_id: UUID
    side: Literal["train", "test"] | None
    duplicates: list[UUID]
    near_duplicates: list[UUID]
    models: list[HoldingModel]
    holding: int
    withdrawal: Withdrawal | None = None


_TAKEN_OUT: TypeAdapter[TakeOutDone | AcceptedImage] = TypeAdapter(TakeOutDone | AcceptedImage)
_MODEL: TypeAdapter[ModelStory | None] = TypeAdapter(ModelStory | None)


def get_decisions(name: str, limit: int = MAX_HELD) -> ApiRequest[DecisionsOf]:
    """Get what a person decided, with at most `limit` of what holds."""
    return ApiRequest("GET", "/decisions", DecisionsOf.model_validate_json, params={"by": name, "limit": limit})


def take_out(image_id: UUID, name: str, reason: str) -> ApiRequest[TakeOutDone | AcceptedImage]:
    """Take the decisions of a person about an image out, so that what other people decided holds."""
    body = {"person": name, "reason": reason}
    return ApiRequest("POST", f"/images/{image_id}/take-out", _TAKEN_OUT.validate_json, json=body)


def get_model_story(version: str, limit: int = 50) -> ApiRequest[ModelStory | None]:
    """Get a model and what led to it, with at most `limit` of its corrections; None if there is no such model."""
    path = f"/models/{version}/story"
    return ApiRequest("GET", path, _MODEL.validate_json, params={"limit": limit}, none_if_missing=True)


def get_image_story(image_id: UUID, limit: int = 50) -> ApiRequest[ImageStory]:
    """Get what is known about an image beside its history, with at most `limit` models."""
    path = f"/images/{image_id}/story"
    return ApiRequest("GET", path, ImageStory.model_validate_json, params={"limit": limit})
