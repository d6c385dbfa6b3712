"""The consoles of the commands. Texts are printed literally: [brackets] and :colons: are not markup."""

from rich.console import Console

console = Console(markup=False, emoji=False)
errors = Console(stderr=True, markup=False, emoji=False)


def complain(text: str) -> None:
    """Print an error on stderr; a long line stays one line."""
    errors.print(text, style="red", highlight=False, soft_wrap=True)
