"""`pappus users ls | add | role | password | remove | logout`: who may log in to the labeler."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pappus.commands.group import CommandGroup
from pappus.commands.options import StateOption, refusals, state_folder
from pappus.terminal.listing import LIMIT, Column, Limit, Listing, left_out
from pappus.terminal.output import Json, Output
from shared.contract.roles import Role

if TYPE_CHECKING:
    from pappus.stack.people import People

users = typer.Typer(
    help="Who may log in to the labeler; a change counts a few seconds later.", cls=CommandGroup, no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="The name of a person.")]
ROLES = "uploader: upload, read; labeler: labels too; operator: models too; admin: people too."
RoleArgument = Annotated[Role, typer.Argument(help=ROLES)]
RoleOption = Annotated[Role, typer.Option("--role", help=ROLES)]
Ask = Annotated[bool, typer.Option("--ask", help="Type the password; without it one is generated and shown.")]


@users.command("ls")
def list_users(limit: Limit = LIMIT, as_json: Json = False, state: StateOption = None) -> None:
    """Show names and roles."""
    output = Output(as_json)
    with refusals(state):
        people = _people(state).all()
    table = Listing(Column("name", whole=True), Column("role", whole=True), Column("logged out at", if_any=True))
    for person in people[:limit]:
        since = person.sessions_from.isoformat(timespec="seconds") if person.sessions_from else ""
        table.add(person.name, person.role, since)
    output.show(table)
    output.note(left_out(len(people), limit, "people"))
    shown = [person.model_dump(mode="json", include={"name", "role", "sessions_from"}) for person in people[:limit]]
    output.give({"users": shown, "more": len(people) > limit})


@users.command()
def add(
    name: Name, role: RoleOption = "labeler", ask: Ask = False, as_json: Json = False, state: StateOption = None
) -> None:
    """Add a person."""
    chosen = _typed() if ask else None
    with refusals(state):
        password = _people(state).add(name, role, chosen)
    made = None if ask else password
    _show(Output(as_json), f"{name} may log in as {role}.", {"name": name, "role": role}, made)


@users.command()
def role(name: Name, role: RoleArgument, as_json: Json = False, state: StateOption = None) -> None:
    """Give a person another role."""
    with refusals(state):
        _people(state).set_role(name, role)
    _show(Output(as_json), f"{name} is {role} now.", {"name": name, "role": role})


@users.command()
def password(name: Name, ask: Ask = False, as_json: Json = False, state: StateOption = None) -> None:
    """Give a person another password; the sessions that began with the old one end."""
    chosen = _typed() if ask else None
    with refusals(state):
        new = _people(state).set_password(name, chosen)
    _show(Output(as_json), f"{name} has another password.", {"name": name}, None if ask else new)


@users.command()
def remove(name: Name, as_json: Json = False, state: StateOption = None) -> None:
    """Remove a person; their sessions end."""
    with refusals(state):
        _people(state).remove(name)
    _show(Output(as_json), f"{name} may not log in any more.", {"removed": name})


@users.command()
def logout(name: Name, as_json: Json = False, state: StateOption = None) -> None:
    """End all sessions of a person, for example when a browser was left open."""
    with refusals(state):
        _people(state).log_out(name)
    _show(Output(as_json), f"{name} is logged out everywhere.", {"logged_out": name})


def _people(state: Path | None) -> "People":
    from pappus.stack.people import People

    return People(state_folder(state))


def _typed() -> str:
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _show(output: Output, text: str, document: dict[str, str], generated: str | None = None) -> None:
    output.say(text)
    if generated is not None:
        output.say(f"Password, shown only now: {generated}")
        document = {**document, "password": generated}
    output.give(document)
