"""A picture as it is shown to people: upright, small, in one format."""

import numpy as np
import simplejpeg  # type: ignore[import-untyped]
from PIL import Image

from shared.imaging.decoding import decode

LONGEST_SIDE = 1600
"""In pixels; a larger rendition is not made."""
MEDIA_TYPE = "image/jpeg"
QUALITY = 85


def render(data: bytes, longest_side: int) -> bytes:
    """Return the picture that the model sees as a JPEG without metadata, at most `longest_side` pixels wide and high
    (never enlarged): EXIF orientation is applied, transparency is white. Raises UndecodableImage."""
    pixels = decode(data)
    height, width = pixels.shape[:2]
    scale = min(1.0, min(longest_side, LONGEST_SIDE) / max(height, width))
    if scale < 1.0:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))
    encoded: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=QUALITY, colorspace="RGB")
    return encoded
