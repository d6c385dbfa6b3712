"""Where the commands write. Texts are shown as they are: [brackets] and :colons: are no markup."""

from rich.console import Console

console = Console(markup=False, emoji=False)
errors = Console(stderr=True, markup=False, emoji=False)


def complain(text: str) -> None:
    """Say on stderr what went wrong; a long line stays one line."""
    errors.print(text, style="red", highlight=False, soft_wrap=True)
