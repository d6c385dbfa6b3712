"""The event that says how a person voted about the label of an image, where a label needs several equal votes. Pure."""

from typing import ClassVar, Self
from uuid import UUID

from pydantic import model_validator

from shared.contract.event_base import ImageEvent, Principal
from shared.contract.event_parts import Ordinal, Probability
from shared.contract.labels import NoLabel


class LabelVoted(ImageEvent):
    """A person voted for a label, or for none. Natural key: the client's idempotency key, with image, revision and
    label. It is about the label's next `revision`, as a label.corrected is: once that one is applied, the vote has
    counted or has come too late. The last vote of a person for the highest revision stands.

    `label` is None exactly if `no_label` says why; "withdrawn" takes the vote back, and `withdrawn_by` is then the
    operator who took it out, None for the person. The shown values are the answer that the person saw, None if they saw
    none. Only the labeler reads it: a vote is kept from other reviewers until the label is decided.
    """

    topic: ClassVar[str] = "label.voted"
    publishers: ClassVar[tuple[Principal, ...]] = ("labeler",)
    readers: ClassVar[tuple[Principal, ...]] = ("labeler",)
    revision: Ordinal
    voted_by: str
    label: str | None
    no_label: NoLabel | None = None
    reason: str = ""
    withdrawn_by: str | None = None
    shown_model_version: str | None = None
    shown_label: str | None = None
    shown_probability: Probability | None = None
    prediction_id: UUID | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.label is None) == (self.no_label is None):
            raise ValueError("a vote is for a label or for none, and then says why in no_label")
        return self
