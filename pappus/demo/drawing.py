"""Drawn dandelions and grass, for machines that cannot reach photographs. The same seed draws the same pixels.

Some pictures are hard on purpose (at dusk, at sunset, in fog, with a small flower), so that a model is
wrong now and then and there is something to correct.
"""

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE_PIXELS = 144
DRAWN_LABELS = ("dandelion", "grass")
HARD_SHARE = 0.16
CASTS = ((0.30, 0.38, 0.85), (1.45, 0.80, 0.35), (0.95, 0.60, 1.10), (1.25, 1.25, 1.30))
"""What red, green and blue are multiplied by at dusk, at sunset, under a coloured light, in fog."""

Colour = tuple[int, int, int]


def write_set(folder: Path, per_label: int, seed: int = 7) -> None:
    """Draw `per_label` JPEG files for each label into `folder`/<label>/; files that are there already stay."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for label in DRAWN_LABELS:
        target = folder / label
        target.mkdir(exist_ok=True)
        for number in range(per_label):
            path = target / f"{number:08d}.jpg"
            if not path.exists():
                path.write_bytes(draw(label, number, seed))


def draw(label: str, number: int, seed: int = 7) -> bytes:
    """Draw one picture, as JPEG bytes. `label` is one of `DRAWN_LABELS`."""
    random = np.random.default_rng([seed, DRAWN_LABELS.index(label), number])
    hard = random.random() < HARD_SHARE
    image = _meadow(random)
    if label == "dandelion":
        _flowers(image, random, small=hard)
    image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 1.1)))
    pixels = np.asarray(image, dtype=np.float32) * random.uniform(0.75, 1.2) + random.normal(0, 6, (*image.size, 3))
    if hard:
        pixels = pixels * np.array(CASTS[random.integers(len(CASTS))]) * random.uniform(0.8, 1.2, 3)
    out = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=int(random.integers(70, 93)))
    return out.getvalue()


def draw_tiles(number: int) -> bytes:
    """Return a PNG of coloured tiles, unlike any plant. Other numbers give other colours and tile sizes, so a
    correction of one reaches no other and no plant: the gate has nothing against it."""
    random = np.random.default_rng(number)
    tiles = 4 + 3 * (number % 8)
    colours = random.integers(0, 256, (2, 3)) + random.integers(-20, 20, (tiles, tiles, 1, 3))
    chosen = np.take_along_axis(colours, random.integers(0, 2, (tiles, tiles, 1, 1)), axis=2)[:, :, 0]
    image = Image.fromarray(np.clip(chosen, 0, 255).astype(np.uint8)).resize(
        (SIDE_PIXELS, SIDE_PIXELS), Image.Resampling.NEAREST
    )
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _meadow(random: np.random.Generator) -> Image.Image:
    """Draw a ground and some hundred blades on it."""
    ground = _near(random, (52, 84, 38))
    image = Image.new("RGB", (SIDE_PIXELS, SIDE_PIXELS), ground)
    pen = ImageDraw.Draw(image)
    for _ in range(int(random.integers(160, 420))):
        foot = random.uniform(-10, SIDE_PIXELS + 10, 2)
        length, lean = random.uniform(14, 60), random.normal(0, 0.45)
        tip = (foot[0] + length * math.sin(lean), foot[1] - length * math.cos(lean))
        pen.line([tuple(foot), tip], fill=_near(random, (84, 142, 54), 26), width=int(random.integers(1, 4)))
    return image


def _flowers(image: Image.Image, random: np.random.Generator, small: bool) -> None:
    """Draw one to six heads, yellow or gone to seed; or a single small one."""
    pen = ImageDraw.Draw(image)
    seeds = random.random() < 0.3
    for _ in range(1 if small else int(random.integers(1, 7))):
        x, y = random.uniform(18, SIDE_PIXELS - 18, 2)
        radius = random.uniform(6, 11) if small else random.uniform(10, 30)
        petal: Colour = (226, 228, 220) if seeds else (236, 200, 34)
        for angle in np.linspace(0, 2 * math.pi, int(random.integers(24, 60)), endpoint=False):
            reach = radius * random.uniform(0.7, 1.1)
            tip = (x + reach * math.cos(angle), y + reach * math.sin(angle))
            pen.line([(x, y), tip], fill=_near(random, petal, 18), width=1 if seeds else 3)
        core = radius * 0.25
        pen.ellipse(
            (x - core, y - core, x + core, y + core), fill=_near(random, (120, 96, 70) if seeds else (222, 160, 20))
        )


def _near(random: np.random.Generator, colour: Colour, spread: float = 14) -> Colour:
    """Return a colour near this one."""
    red, green, blue = (int(min(255, max(0, channel + random.normal(0, spread)))) for channel in colour)
    return red, green, blue
