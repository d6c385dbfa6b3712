"""The `pappus` command: its subcommands in the order of the help page."""

from collections.abc import Callable

import typer

from pappus.commands import (
    artefacts,
    blame,
    classes,
    components,
    containers,
    dataset,
    demo,
    dlq,
    drift,
    events,
    images,
    keys,
    operator,
    replay,
    reproduce,
    seed,
    smoke,
    stack,
    trace,
    users,
    why,
    withdraw,
)
from pappus.commands.group import CommandGroup

app = typer.Typer(
    name="pappus",
    help="Corrections fly; the model follows.",
    cls=CommandGroup,
    no_args_is_help=True,
    add_completion=False,
)

STACK = "The stack"
LOOP = "The loop"
GATE = "Models and the gate"
CONTAINERS = "In containers"
COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    STACK: (
        stack.up,
        stack.down,
        stack.status,
        components.restart,
        components.stop,
        stack.logs,
        components.env,
        stack.doctor,
        stack.reset,
        replay.replay,
    ),
    LOOP: (
        demo.demo,
        seed.seed,
        images.predict,
        images.correct,
        withdraw.withdraw,
        images.history,
        drift.drift,
        events.events,
        trace.trace,
        why.why,
        blame.blame,
        smoke.smoke,
    ),
    GATE: (
        operator.train,
        operator.rollback,
        operator.approve,
        operator.override,
        operator.freeze,
        operator.unfreeze,
        reproduce.reproduce,
        artefacts.artefacts,
    ),
    CONTAINERS: (containers.secrets, containers.prepare),
}


def _first_sentence(command: Callable[..., None]) -> str:
    """Return what the list of all commands says about one."""
    first, ends, _ = " ".join((command.__doc__ or "").split()).partition(". ")
    return first + ends.strip()


for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel, short_help=_first_sentence(command))(command)
app.add_typer(dlq.app, rich_help_panel=STACK)
app.add_typer(classes.app, name="classes", rich_help_panel=LOOP)
app.add_typer(dataset.app, rich_help_panel=GATE)
app.add_typer(keys.keys, name="keys", rich_help_panel=STACK)
app.add_typer(users.users, name="users", rich_help_panel=STACK)

if __name__ == "__main__":
    app()
