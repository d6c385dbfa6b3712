"""What a command gives: words and tables for people, or with `--json` one document for programs."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from pappus.terminal.screen import LiteralConsole, console, errors

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]


class Output:
    """Where a command shows what. With `as_json`, stdout has the document alone: progress goes to stderr, and words
    that only repeat the document are left out."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json

    @property
    def progress(self) -> LiteralConsole:
        """The console for what goes on meanwhile."""
        return errors if self.as_json else console

    def say(self, text: RenderableType) -> None:
        """Print a line for people, however long."""
        if not self.as_json:
            console.print(text, highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Print a line below a list, unless it is empty."""
        if text:
            self.say(text)

    def show(self, what: RenderableType) -> None:
        """Print a table for people, folded at the width of the terminal."""
        if not self.as_json:
            console.print(what, highlight=False)

    def give(self, document: Mapping[str, Any]) -> None:
        """Print the document for programs; once in each command. Values that JSON does not know become texts."""
        if self.as_json:
            typer.echo(json.dumps(document, indent=2, default=str))
