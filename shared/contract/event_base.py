"""What all events share: their id and time, their key, and who publishes and reads them."""

from typing import ClassVar, Literal
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict

Principal = Literal["ingestor", "labeler", "trainer", "predictor"]
"""As whom the processes of a service log in to Kafka."""
NAMESPACE = UUID("5c9f2a52-7f0e-5d0b-9a49-0d2f6a3f8d11")


def uuid_of(*parts: object) -> UUID:
    """Return the uuid5 of a natural key; the same parts give the same id in every process."""
    return uuid5(NAMESPACE, "|".join(str(part) for part in parts))


def is_empty(value: object) -> bool:
    """Whether a later field of an event is left out where it is empty: rows that older events gave stay as they are."""
    return not value


class Event(BaseModel):
    """What all events share. `topic` names type and topic alike. `publishers` may write it and `readers` may read it:
    from these two come the rights on the broker (`shared.contract.access`)."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    topic: ClassVar[str]
    publishers: ClassVar[tuple[Principal, ...]]
    readers: ClassVar[tuple[Principal, ...]]
    event_id: UUID
    occurred_at: AwareDatetime
    causes: tuple[UUID, ...] = ()

    @property
    def key(self) -> str:
        """The Kafka key: events with one key stay in order."""
        raise TypeError(f"{type(self).__name__} has no key")


class ImageEvent(Event):
    """An event about one image; keyed by it."""

    image_id: UUID

    @property
    def key(self) -> str:
        return str(self.image_id)


class ModelEvent(Event):
    """An event about the one model in service; keyed by its name, in one partition, so they all are in order."""

    model_name: str

    @property
    def key(self) -> str:
        return self.model_name


class ArtefactOfModel(ModelEvent):
    """Where the artefact of a version is stored, and the hash that is checked before it is loaded."""

    version: str
    artefact_key: str
    artefact_sha256: str
