"""The classes of an installation: listed, added, renamed."""

from pappus.installation.access import Installation
from pappus.terminal.listing import Column, Listing, left_out
from pappus.terminal.output import Output
from shared.clients.answers import Accepted
from shared.clients.classes import ClassChanged, add_class, list_classes, rename_class

MODEL = {"learned": "learned", "corrections": "near corrected images", "unknown": "not yet"}
IN_THE_LOG = "The change is in the log, and not shown yet. See: pappus classes ls"


async def show(installation: Installation, output: Output, limit: int) -> None:
    """Show the classes in their order."""
    async with installation.labeler_as("labeler") as person:
        found = await person.send(list_classes())
    table = Listing(
        Column("class", whole=True), Column("name", whole=True), Column("images"), Column("model"), Column("was called")
    )
    for one in found[:limit]:
        table.add(one.id, one.name, f"{one.images:,}", MODEL[one.model], ", ".join(one.former))
    output.show(table)
    output.note(left_out(len(found), limit, "classes"))
    shown = [one.model_dump(mode="json") for one in found[:limit]]
    output.give({"classes": shown, "more": len(found) > limit})


async def add(installation: Installation, output: Output, name: str, reason: str) -> None:
    """Add a class."""
    async with installation.labeler_as("operator") as operator:
        done = await operator.send(add_class(name, reason))
    _tell(output, done, "Images can be {name} now.")


async def rename(installation: Installation, output: Output, label: str, name: str, reason: str) -> None:
    """Give a class another name."""
    async with installation.labeler_as("operator") as operator:
        done = await operator.send(rename_class(label, name, reason))
    _tell(output, done, "The class {id} is called {name} now.")


def _tell(output: Output, done: ClassChanged | Accepted, sentence: str) -> None:
    output.say(IN_THE_LOG if isinstance(done, Accepted) else sentence.format(id=done.id, name=done.name))
    output.give({"outcome": done.outcome, **done.model_dump(mode="json")})
