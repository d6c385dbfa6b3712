"""A group of commands whose help page is there at once."""

from typing import Any

from typer.core import TyperGroup


class CommandGroup(TyperGroup):
    """A group that need not check whether its own `--help` was given: for that, typer would import pydantic."""

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option `--help` with False where it is not given: typer converts anything else but a bool."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.default = False
        return option
