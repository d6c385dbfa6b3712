"""From Pillow's image to pixels."""

import numpy as np
from PIL import Image

from shared.imaging.structure import Pixels


def pixels_of(image: Image.Image) -> Pixels:
    """Return uint8 RGB [height, width, 3], transparency on white. Raises what Pillow raises about damage."""
    image.load()
    if image.mode.startswith("I;16"):  # 16-bit grey: the high byte; Pillow would clip instead
        return np.repeat((np.asarray(image) >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
    if "A" in image.getbands() or "transparency" in image.info:
        paper = Image.new("RGBA", image.size, "white")
        paper.alpha_composite(image.convert("RGBA"))
        image = paper
    return np.asarray(image.convert("RGB"), dtype=np.uint8)
