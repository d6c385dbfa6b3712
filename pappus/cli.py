"""The `pappus` command: what it can do, in the order of its help page."""

from collections.abc import Callable

import typer

from pappus.commands import components, demo, people, replay, seed, stack

app = typer.Typer(name="pappus", help="Corrections fly; the model follows.", no_args_is_help=True, add_completion=False)

STACK = "The stack"
LOOP = "The loop"
GATE = "Models and the gate"
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
    LOOP: (demo.demo, seed.seed, people.predict, people.correct, people.history),
    GATE: (people.train, people.rollback, people.approve, people.override, people.freeze, people.unfreeze),
}
for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)

if __name__ == "__main__":
    app()
