"""From screenshots to an animation: a strip below each with what is going on, then one GIF with one palette."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageDraw, ImageFont

STRIP_PIXELS = 64
COLOURS = 128
INK, PAPER, RULE = "#1f2328", "#ffffff", "#d0d7de"
RIGHT, WRONG = "#1a7f37", "#cf222e"


@dataclass(frozen=True, slots=True)
class Shot:
    """One screenshot, shown for `milliseconds`. `caption` stands below it, and `answers`: what each replica says now;
    an answer that is `truth` is green, another red."""

    page: Image.Image
    caption: str
    milliseconds: int
    answers: Mapping[str, str] = field(default_factory=dict)
    truth: str = ""


def compose(shot: Shot) -> Image.Image:
    """Return the frame: the page, and below it the strip."""
    width, height = shot.page.size
    frame = Image.new("RGB", (width, height + STRIP_PIXELS), PAPER)
    frame.paste(shot.page, (0, 0))
    pen = ImageDraw.Draw(frame)
    pen.line((0, height, width, height), fill=RULE, width=2)
    middle = height + STRIP_PIXELS // 2
    pen.text((20, middle), shot.caption, fill=INK, font=ImageFont.load_default(22), anchor="lm")
    right = width - 20
    for replica, answer in reversed([*shot.answers.items()]):
        right = _chip(pen, (right, middle), f"{replica}: {answer}", RIGHT if answer == shot.truth else WRONG) - 12
    return frame


def _chip(pen: ImageDraw.ImageDraw, end: tuple[int, int], text: str, colour: str) -> int:
    """Draw a rounded box with white text that ends at `end`; return where it begins."""
    font = ImageFont.load_default(18)
    left = int(end[0] - pen.textlength(text, font=font) - 24)
    pen.rounded_rectangle((left, end[1] - 18, end[0], end[1] + 18), radius=8, fill=colour)
    pen.text((left + 12, end[1]), text, fill=PAPER, font=font, anchor="lm")
    return left


def animate(shots: Sequence[Shot]) -> bytes:
    """Return the GIF, without end. Shots that look alike become one frame, shown for as long as all of them.

    All frames have one palette, made from all of them: with one each, what stands still would flicker.
    """
    frames: list[Image.Image] = []
    durations: list[int] = []
    for shot in shots:
        frame = compose(shot)
        if frames and frames[-1].tobytes() == frame.tobytes():
            durations[-1] += shot.milliseconds
            continue
        frames.append(frame)
        durations.append(shot.milliseconds)
    palette = _side_by_side(frames).quantize(COLOURS, Image.Quantize.MEDIANCUT)
    first, *others = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    out = io.BytesIO()
    first.save(out, "GIF", save_all=True, append_images=others, duration=durations, loop=0)
    return out.getvalue()


def still(page: Image.Image) -> bytes:
    """Return a screenshot as a small PNG."""
    out = io.BytesIO()
    page.quantize(256, Image.Quantize.MEDIANCUT).save(out, "PNG", optimize=True)
    return out.getvalue()


def _side_by_side(frames: Sequence[Image.Image]) -> Image.Image:
    width, height = frames[0].size
    whole = Image.new("RGB", (width, height * len(frames)))
    for number, frame in enumerate(frames):
        whole.paste(frame, (0, height * number))
    return whole
