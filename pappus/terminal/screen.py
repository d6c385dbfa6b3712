"""The consoles of the commands. Texts are printed literally: [brackets] and :colons: are not markup, and characters
that would command the terminal, such as ESC in a name or in a reason that is in the log, are printed as pictures."""

import os
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

UNFOLDED = 10_000
"""The width, in characters, of a console without a terminal."""
_KEPT = "\n\t"
_PICTURES = {code: chr(0x2400 + code) for code in range(0x20)} | {0x7F: "\u2421"}
_PICTURES |= dict.fromkeys(range(0x80, 0xA0), "\ufffd")
_PICTURES |= dict.fromkeys(
    (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd"
)  # they turn text round
for _kept in _KEPT:
    del _PICTURES[ord(_kept)]


def harmless(text: str) -> str:
    """Return the text with pictures in place of control characters, but for line breaks and tabs."""
    return text.translate(_PICTURES)


class LiteralConsole(Console):
    """A console on which data commands nothing. Rich's own control codes are separate segments, and stay."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as Rich does, and make the text of every segment harmless."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(harmless(segment.text), segment.style)


def _open(*, stderr: bool = False) -> LiteralConsole:
    """Return a console that folds at the width of the terminal, or of COLUMNS. Where no terminal is, a row is a line:
    what reads it looks for whole values."""
    made = LiteralConsole(stderr=stderr, markup=False, emoji=False)
    if not made.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        made.width = UNFOLDED
    return made


console = _open()
errors = _open(stderr=True)


def complain(text: str) -> None:
    """Print an error on stderr; a long line stays one line."""
    errors.print(text, style="red", highlight=False, soft_wrap=True)
