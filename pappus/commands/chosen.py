"""Which installation a command is about: the local stack, or one that options, environment or a profile name."""

import inspect
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer

from pappus.commands.options import StateOption, in_one_line, refusals, state_folder
from pappus.errors import Refused

if TYPE_CHECKING:
    from pappus.installation.access import Installation

P = ParamSpec("P")
ELSEWHERE = "Another installation than the local stack"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a person said about the installation: options by setting, and the state folder of --state, else of
    PAPPUS_STATE. `state_typed`: it stands on the command line, and so means the local stack. `acting`: the login of
    --as."""

    options: Mapping[str, str | Sequence[str] | None]
    state: Path | None
    state_typed: bool = False
    acting: str | None = None

    def also(self, **options: str | None) -> "Chosen":
        """Return the same with more options, by setting."""
        return replace(self, options={**self.options, **options})

    def acting_as(self, name: str | None) -> "Chosen":
        """Return the same for a command that acts for a person: as this login, None for the one of the role."""
        return replace(self, acting=name)

    def elsewhere(self) -> "Installation | None":
        """Return the installation that is named; None for the local stack. Raises Refused."""
        from pappus.installation.resolve import resolve

        if not self.state_typed:
            return resolve(self.options, os.environ)
        if any(self.options.values()):
            raise Refused("--state means the local stack, and another option another installation: give one of them.")
        return None

    def attempt(self, work: "Callable[[Installation], Coroutine[Any, Any, None]]") -> None:
        """Run `work` on the installation that is named, else on the local stack. Expected errors are printed as one
        line."""
        import asyncio

        with in_one_line():
            elsewhere = self.elsewhere()
            if elsewhere is not None:
                asyncio.run(work(self._as_person(elsewhere)))
                return
        from pappus.stack_client import RunningStack

        with refusals(self.state):
            asyncio.run(work(self._as_person(RunningStack.find(state_folder(self.state)))))

    def _as_person(self, installation: "Installation") -> "Installation":
        return installation if self.acting is None else installation.acting_as(self.acting)


def _chosen(
    *,
    profile: Annotated[
        str | None,
        typer.Option(help="A file ~/.config/pappus/NAME.toml, or its path.", rich_help_panel=ELSEWHERE),
    ] = None,
    predictor: Annotated[
        str | None, typer.Option(metavar="URL", help="The prediction API.", rich_help_panel=ELSEWHERE)
    ] = None,
    replica: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="A replica of the predictor; once for each.", rich_help_panel=ELSEWHERE),
    ] = None,
    labeler: Annotated[
        str | None, typer.Option(metavar="URL", help="The labeling API.", rich_help_panel=ELSEWHERE)
    ] = None,
    ca_file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Who signs for these addresses (https).", rich_help_panel=ELSEWHERE),
    ] = None,
    state: StateOption = None,
    context: typer.Context,
) -> Chosen:
    """Return the choice. `context` tells an option of the command line from one of the environment."""
    source = context.get_parameter_source("state")
    options = {"profile": profile, "predictor": predictor, "replicas": replica, "labeler": labeler, "ca_file": ca_file}
    return Chosen(options, state, source is not None and source.name == "COMMANDLINE")


def about_installation(command: Callable[Concatenate[Chosen, P], None]) -> Callable[..., None]:
    """Add to a command the options that choose an installation; it gets what they say as its first argument."""
    own = inspect.signature(command, eval_str=True)
    added = inspect.signature(_chosen, eval_str=True).parameters
    kept = list(own.parameters.values())[1:]

    @wraps(command)
    def with_options(*arguments: Any, **named: Any) -> None:
        command(_chosen(**{name: named.pop(name) for name in added}), *arguments, **named)

    parameters = [*kept, *added.values()]
    with_options.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_options
