"""Is this an image we accept? Pure: bytes in, facts or a rejection out."""

import hashlib
from dataclasses import dataclass

from services.ingestor.decisions.looks import Look, look_of
from services.ingestor.decisions.perceptual_hash import perceptual_hash
from shared.contract.label_set import LabelSet
from shared.imaging.decoding import MAXIMUM_PIXELS, UndecodableImage, decode, image_facts
from shared.imaging.pixels_hash import hash_pixels
from shared.web.rejection import Rejection, too_large


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What is accepted: the largest image."""

    maximum_bytes: int = 20_000_000
    maximum_pixels: int = MAXIMUM_PIXELS


@dataclass(frozen=True, slots=True)
class AcceptedImage:
    """Facts about bytes that decode. Width and height are in pixels after EXIF orientation; `image_format` is a
    name in capitals ("JPEG"); `perceptual_hash` is 64 bits as 16 hex digits; `pixels_sha256` is the same for files that
    show the same pixels, however they are written; by `look` copies are found that do not."""

    sha256: str
    size_bytes: int
    width: int
    height: int
    image_format: str
    perceptual_hash: str
    pixels_sha256: str
    look: Look

    @property
    def object_key(self) -> str:
        """The key of the original bytes in the object store; the same bytes have the same key."""
        return object_key_of(self.sha256)

    @property
    def content_type(self) -> str:
        """The media type (IANA) of the original bytes."""
        return f"image/{self.image_format.lower()}"


def object_key_of(sha256: str) -> str:
    """Return where the original bytes with this hash lie."""
    return f"images/sha256/{sha256[:2]}/{sha256}"


def refuse_label(label: str | None, classes: LabelSet) -> Rejection | None:
    """Return why an image with this label is not taken, None if it is: the label, or a name, of a class, or none."""
    if label is None or classes.label_of(label) is not None:
        return None
    known = ", ".join(classes.names.values())
    return Rejection("unknown_label", f"Label {label!r} is not one of {known}; use one of these, or none.")


def refuse_size(size_bytes: int, acceptance: Acceptance) -> Rejection | None:
    """Return why this many bytes are not taken, None if they are."""
    return too_large(acceptance.maximum_bytes) if size_bytes > acceptance.maximum_bytes else None


def examine(data: bytes, acceptance: Acceptance) -> AcceptedImage | Rejection:
    """Decode the whole picture and return its facts, or why it is not taken. Takes as long as decoding does."""
    rejection = refuse_size(len(data), acceptance)
    if rejection:
        return rejection
    try:
        facts = image_facts(data, acceptance.maximum_pixels)
        pixels = decode(data, acceptance.maximum_pixels)  # [height, width, 3]
    except UndecodableImage as error:
        return Rejection(error.reason, str(error))
    height, width, _ = pixels.shape
    digest = hashlib.sha256(data).hexdigest()
    hashes = perceptual_hash(pixels), hash_pixels(pixels)
    return AcceptedImage(digest, len(data), width, height, facts.format, *hashes, look_of(pixels))
