"""A picture that this project draws itself, for examples."""

import io
import math
import random
from functools import cache

from PIL import Image, ImageDraw, ImageFilter

SIDE_PIXELS = 144
BLADES = 260
PETALS = 44


@cache
def draw_dandelion() -> bytes:
    """Return a PNG of a dandelion in grass. Each call gives the same bytes."""
    chance = random.Random(4)  # noqa: S311 - a picture, no secret
    image = Image.new("RGB", (SIDE_PIXELS, SIDE_PIXELS), (52, 84, 38))
    pen = ImageDraw.Draw(image)
    for _ in range(BLADES):
        x, y = chance.uniform(0, SIDE_PIXELS), chance.uniform(0, SIDE_PIXELS * 1.2)
        length, lean = chance.uniform(16, 60), chance.gauss(0, 0.45)
        green = (chance.randint(60, 110), chance.randint(118, 166), chance.randint(34, 74))
        tip = (x + length * math.sin(lean), y - length * math.cos(lean))
        pen.line([(x, y), tip], fill=green, width=chance.randint(1, 3))
    middle = SIDE_PIXELS / 2
    for petal in range(PETALS):
        angle, reach = 2 * math.pi * petal / PETALS, chance.uniform(23, 33)
        yellow = (chance.randint(222, 248), chance.randint(186, 214), chance.randint(20, 50))
        tip = (middle + reach * math.cos(angle), middle + reach * math.sin(angle))
        pen.line([(middle, middle), tip], fill=yellow, width=3)
    pen.ellipse((middle - 8, middle - 8, middle + 8, middle + 8), fill=(222, 160, 20))
    file = io.BytesIO()
    image.filter(ImageFilter.GaussianBlur(0.6)).save(file, "PNG")
    return file.getvalue()
