"""`pappus users ls | add | role | password | remove | logout`: who may log in to the labeler."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from pappus.commands.options import StateOption, refusals, state_folder
from pappus.commands.screen import console
from pappus.stack.people import People, Role

users = typer.Typer(help="Who may log in to the labeler; a change counts a few seconds later.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The name of a person.")]
RoleArgument = Annotated[Role, typer.Argument(help="labeler: upload, correct, read; operator: models too.")]
RoleOption = Annotated[Role, typer.Option("--role", help="labeler: upload, correct, read; operator: models too.")]
Ask = Annotated[bool, typer.Option("--ask", help="Type the password; without it one is generated and shown.")]


@users.command("ls")
def list_users(state: StateOption = None) -> None:
    """Show names and roles."""
    with refusals(state):
        people = People(state_folder(state)).all()
    table = Table("name", "role", "logged out at", box=None, pad_edge=False)
    for person in people:
        since = person.sessions_from.isoformat(timespec="seconds") if person.sessions_from else ""
        table.add_row(Text(person.name), person.role, since)
    console.print(table)


@users.command()
def add(name: Name, role: RoleOption = "labeler", ask: Ask = False, state: StateOption = None) -> None:
    """Add a person."""
    chosen = _typed() if ask else None
    with refusals(state):
        password = People(state_folder(state)).add(name, role, chosen)
    _show(f"{name} may log in as {role}.", None if ask else password)


@users.command()
def role(name: Name, role: RoleArgument, state: StateOption = None) -> None:
    """Give a person another role."""
    with refusals(state):
        People(state_folder(state)).set_role(name, role)
    _show(f"{name} is {role} now.")


@users.command()
def password(name: Name, ask: Ask = False, state: StateOption = None) -> None:
    """Give a person another password; the sessions that began with the old one end."""
    chosen = _typed() if ask else None
    with refusals(state):
        new = People(state_folder(state)).set_password(name, chosen)
    _show(f"{name} has another password.", None if ask else new)


@users.command()
def remove(name: Name, state: StateOption = None) -> None:
    """Remove a person; their sessions end."""
    with refusals(state):
        People(state_folder(state)).remove(name)
    _show(f"{name} may not log in any more.")


@users.command()
def logout(name: Name, state: StateOption = None) -> None:
    """End all sessions of a person, for example when a browser was left open."""
    with refusals(state):
        People(state_folder(state)).log_out(name)
    _show(f"{name} is logged out everywhere.")


def _typed() -> str:
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _show(text: str, generated: str | None = None) -> None:
    console.print(Text(text), soft_wrap=True)
    if generated is not None:
        console.print(Text(f"Password, shown only now: {generated}"), soft_wrap=True)
