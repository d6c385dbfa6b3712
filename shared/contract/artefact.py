"""What trainer and predictor agree on about an artefact: its inputs, its outputs and its metadata.

An artefact is one ONNX graph of backbone, head and correction layer. It answers images uint8 [batch, 96, 96, 3] (RGB,
as `shared.imaging.preprocessing.prepare` makes them) with

* `probabilities` float32 [batch, c], in the order of `labels`,
* `features` float32 [batch, d],
* `correction_weights` float32 [batch, m], 0..1: how near each image is to each row of the correction layer. Row j
  belongs to `corrections[j]`; a correction may have several rows (of its image, and of that image mirrored), and is
  named once for each. An empty layer is one row that belongs to none.

Format 2 measures nearness in a space of few numbers, and its weights end at 0; format 1 measures it between the
features. From outside both look alike.

An artefact of format 3 is a layer alone: it names its base, a whole artefact, whose layer its own takes the place of.
So a correction costs its own rows, and a process that has the base in memory need not load anything.
"""

import json
import re
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from hashlib import sha256
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from shared.runtime.errors import InvalidMessage

INPUT = "image"
PROBABILITIES = "probabilities"
FEATURES = "features"
CORRECTION_WEIGHTS = "correction_weights"

CENTERS, COEFFICIENTS = "corrections.centers", "corrections.coefficients"
"""The numbers of a layer by their names in the graph: where each row lies [m, k], what it adds to the logits [m, c]."""

SPACE_MEAN, SPACE_PROJECTION = "space.mean", "space.projection"
"""The numbers of the space in which the rows lie: a place is (features - mean [d]) @ projection [d, k]."""

METADATA_KEY = "pappus"
"""The key of the ONNX metadata property that holds the JSON of `ArtefactMetadata`."""
FORMAT_VERSION = 2
LAYER_FORMAT_VERSION = 3
LARGEST_ARTEFACT_BYTES = 100_000_000
"""A larger artefact is not loaded. Backbone and head take some 70 KB, the space of the layer 260 KB, each of its rows
400 bytes (4 KB in format 1, 180 bytes in a layer alone)."""

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")

CorrectionEntry = tuple[UUID, int]
"""The image a correction is about, and the revision of its label."""


def artefact_key(version: str, sha256: str) -> str:
    """The object key of an artefact. Two machines may make other bytes of the same version: the hash keeps them apart,
    so that what was announced is never overwritten."""
    return f"models/{version}/{sha256}.onnx"


def check_artefact_key(key: str, version: str) -> None:
    """Look whether `key` is one of this version: a file of its own folder. Under other keys lies what others wrote, an
    uploaded picture for example.

    Raises:
        InvalidMessage: it is not.
    """
    if not (
        _NAME.fullmatch(version) and key.startswith(f"models/{version}/") and _NAME.fullmatch(key.split("/", 2)[2])
    ):
        raise InvalidMessage(
            f"The artefact of {version} was announced under {key!r}, where no object of that version lies: it is not"
            f" read. Its key is models/{version}/<sha256>.onnx. Who published this event?"
        )


def check_base_key(key: str) -> None:
    """Look whether a whole artefact may lie under `key`. Raises InvalidMessage if not."""
    check_artefact_key(key, key.split("/")[1] if key.count("/") == 2 else "")


@dataclass(frozen=True)
class BaseArtefact:
    """The whole artefact that a layer belongs to: its object key, and the sha256 of its bytes (64 hex digits)."""

    key: str
    sha256: str


@dataclass(frozen=True)
class StatisticReference:
    """What vectors of k numbers look like without drift: their mean [k], a matrix [k][k] that makes them uncorrelated
    with variance 1 (z = (x - mean) whitening), and the value of the statistic from which on there is a drift."""

    mean: tuple[float, ...]
    whitening: tuple[tuple[float, ...], ...]
    threshold: float


@dataclass(frozen=True)
class DriftReference:
    """What answers look like without drift, from the images of a full training: their features as sixteen numbers,
    their labels, and how sure they are. `images`: how many there were. `run_images`: how many answers come on average
    between two false alarms, as stated."""

    images: int
    run_images: int
    features: StatisticReference
    labels: StatisticReference
    confidence: StatisticReference

    @cached_property
    def id(self) -> str:
        """The name of this reference, 16 hex digits: answers with the same one can be compared."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class ArtefactMetadata:
    """What an artefact says about itself.

    input_size: side in pixels of the square it takes. kappa: concentration of the kernel of the correction layer.
    corrections: one entry for each row of the layer, in order. drift: what its answers are compared with; None in
    artefacts of earlier releases, and where a training had too few images. mirror_proof: the features of an image are
    those of its mirror image; where they are not, a correction has a row for each. base: of a layer alone; None for a
    whole artefact.
    """

    labels: tuple[str, ...]
    backbone_kind: str
    backbone_id: str
    manifest_sha256: str
    input_size: int
    kappa: float
    corrections: tuple[CorrectionEntry, ...] = ()
    format_version: int = FORMAT_VERSION
    drift: DriftReference | None = None
    mirror_proof: bool = False
    base: BaseArtefact | None = None

    @property
    def drift_reference(self) -> str:
        """The name of its reference, empty without one."""
        return "" if self.drift is None else self.drift.id

    def to_json(self) -> str:
        """Return JSON, sorted and without spaces: equal metadata gives equal text."""
        fields = asdict(replace(self, corrections=()))  # which copies each value: of thousands that takes long
        fields["corrections"] = [(str(image_id), revision) for image_id, revision in self.corrections]
        if self.base is None:
            del fields["base"]
        return json.dumps(fields, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "ArtefactMetadata":
        """Read what `to_json` wrote; fields it does not know are ignored.

        Raises:
            InvalidMessage: if this is not the metadata of an artefact, or of a format newer than this program.
        """
        try:
            metadata = _reader().validate_json(text)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            raise InvalidMessage(
                f"The metadata of this artefact cannot be read ({problem['loc']}: {problem['msg']}). Train it again."
            ) from error
        if metadata.format_version > LAYER_FORMAT_VERSION:
            raise InvalidMessage(
                f"This artefact has format {metadata.format_version}; this program reads {LAYER_FORMAT_VERSION}."
                " Update it."
            )
        return metadata


@cache
def _reader() -> TypeAdapter[ArtefactMetadata]:
    return TypeAdapter(ArtefactMetadata)
