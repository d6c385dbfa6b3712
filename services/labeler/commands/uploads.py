"""The command that uploads an image."""

import hashlib
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from services.labeler.commands.command_bus import CommandBus
from services.labeler.commands.corrections import CorrectionRequest
from services.labeler.commands.naming import label_named
from services.labeler.commands.outcomes import Refused, UploadResult
from services.labeler.commands.votes import Voter, correct_or_vote
from services.labeler.commands.withdrawals import refuse_withdrawn
from services.labeler.queries import images
from shared.clients.answers import AcceptedImage, ImageView
from shared.contract.events import ImageRegistered, uuid_of
from shared.storage.object_store import ObjectStore

LABEL_OF_UPLOAD = "Given with an upload of the same bytes."


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """The bytes of an upload, the label that they came with, None for none, and what the file was called, if that is
    known."""

    data: bytes
    label: str | None = None
    file_name: str | None = None


def upload_id(user: str, sha256: str, key: str | None) -> UUID:
    """Return the image id of an upload. A retry has the same id, with or without an idempotency key."""
    return uuid_of("upload", user, sha256, key or "")


def upload_key(sha256: str) -> str:
    """Return the object key under which the ingestor finds the bytes of an upload."""
    return f"uploads/{sha256[:2]}/{sha256}"


async def upload(
    command_bus: CommandBus, store: ObjectStore, file: UploadedFile, user: str, key: str | None
) -> UploadResult | AcceptedImage:
    """Store the bytes for the ingestor, publish image.registered, and wait until the image is stored or rejected.

    Bytes that are stored already are the image that holds them. If it has no label yet, the label of this upload is set
    as a correction, for the person said what the image shows; another label stays as it is.

    Raises:
        Refused: empty, unknown_label, image_withdrawn (these bytes were), or the reason of the image.rejected.
        TransientError: the object store, the log or the tables are unavailable.
    """
    if not (data := file.data):
        raise Refused("empty", "The file is empty. Choose another one.")
    label = label_named(file.label, await command_bus.classes())
    file = replace(file, label=label)
    sha256 = hashlib.sha256(data).hexdigest()
    for stored in await images.images_of_bytes(command_bus.database, sha256):
        refuse_withdrawn(stored)
        return await as_duplicate(command_bus, stored, label, user, key)
    image_id = upload_id(user, sha256, key)
    known = await images.image(command_bus.database, image_id)
    attempt = next_attempt(known)
    event = _registered(command_bus, image_id, sha256, file, user, attempt)
    if known is None or attempt > known.attempt:
        await store.put(upload_key(sha256), data)
        await command_bus.publish(event)
    image = await command_bus.wait_for(partial(settled, command_bus, image_id, attempt))
    if image is None:
        return AcceptedImage(event_id=event.event_id, image_id=image_id)
    refuse_withdrawn(image)
    if image.rejection is not None:
        if image.rejection.reason == "withdrawn":  # meanwhile: what was put above is not to stay
            await store.delete(upload_key(sha256))
        raise Refused(image.rejection.reason, image.rejection.detail, {"image_id": str(image_id)})
    if image.image_id != image_id:
        return await as_duplicate(command_bus, image, label, user, key)
    return UploadResult(image=image, duplicate=False)


async def as_duplicate(
    command_bus: CommandBus, image: ImageView, label: str | None, user: str, key: str | None
) -> UploadResult | AcceptedImage:
    """Return the image that holds the bytes already; without a label yet it gets this one, as a correction, or as a
    vote where labels are voted about."""
    if label is None or image.label is not None or image.revision > 0:
        return UploadResult(image=image, duplicate=True)
    said = CorrectionRequest(label=label, revision=0, reason=LABEL_OF_UPLOAD)
    try:
        done = await correct_or_vote(command_bus, image.image_id, said, Voter(user, only_votes=True), key)
    except Refused as refused:
        if refused.code != "superseded":
            raise
        done = None  # another person set one meanwhile; it stays
    if isinstance(done, AcceptedImage):
        return done
    now = await images.image(command_bus.database, image.image_id)
    return UploadResult(image=now or image, duplicate=True)


def next_attempt(known: ImageView | None) -> int:
    """Return the number of this attempt: the next one if the last was rejected for a reason that may have passed."""
    if known is None:
        return 1
    refused = known.rejection
    again = refused is not None and (refused.retryable or refused.reason == "upload_missing")
    return max(known.attempt, refused.attempt if refused else 1) + again


def _registered(
    command_bus: CommandBus, image_id: UUID, sha256: str, file: UploadedFile, user: str, attempt: int
) -> ImageRegistered:
    return ImageRegistered(
        event_id=uuid_of(ImageRegistered.topic, image_id, attempt),
        occurred_at=command_bus.clock(),
        image_id=image_id,
        upload_key=upload_key(sha256),
        label=file.label,
        trust="claimed",
        registered_by=user,
        attempt=attempt,
        file_name=file.file_name,
    )


async def settled(command_bus: CommandBus, image_id: UUID, attempt: int) -> ImageView | None:
    """Return the image once it is stored or this attempt is rejected; for a duplicate, the image that holds the
    bytes."""
    image = await images.image(command_bus.database, image_id)
    if image is None or image.state == "registered":
        return None
    if image.duplicate_of is not None:
        original = await images.image(command_bus.database, image.duplicate_of)
        return original if original is not None and original.state == "stored" else None
    refused = image.rejection
    return image if refused is None or refused.attempt >= attempt else None
