"""What is said of an image's label: how far it is believed, and what a person decided."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Trust = Literal["claimed", "seed", "reviewed"]
"""How far a label is believed: an uploader's word, the word of a data set, a reviewer's decision. Training takes the
last two."""
NoLabel = Literal["withdrawn", "unsure", "none_of_these", "unusable"]
"""Why a correction sets no label: the person takes the last decision back; cannot tell; the image shows none of the
labels; the image cannot be used."""


class HeldLabel(BaseModel):
    """What a person decided about an image: its label, or that it has none, and why. `revision` is the correction that
    decided it."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    revision: Annotated[int, Field(ge=1, le=2**31 - 1)]
    label: str | None
    no_label: NoLabel | None = None
