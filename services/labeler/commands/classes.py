"""The commands of operators about the classes: add one, and give one another name."""

from collections.abc import Callable
from functools import partial

from services.labeler.commands.command_bus import CommandBus, command_id
from services.labeler.commands.outcomes import Refused
from services.labeler.decisions import label_sets
from services.labeler.decisions.label_sets import Unfit
from services.labeler.queries.classes import change_in_revision, was_changed
from shared.clients.answers import Accepted
from shared.clients.classes import ClassChanged
from shared.contract.label_set import LabelClass, LabelSet, LabelSetChanged

TRIES = 5
"""So often a change is made again on what another person made of the classes meanwhile."""
Decide = Callable[[LabelSet], LabelClass]


async def add_class(
    command_bus: CommandBus, name: str, reason: str, user: str, key: str | None
) -> ClassChanged | Accepted:
    """Publish a label_set.changed with one more class, and wait until the tables show it.

    Raises:
        Refused: class_unfit (the name is none, or belongs to a class), superseded.
        TransientError: the log or the tables are unavailable.
    """

    def decide(current: LabelSet) -> LabelClass:
        return label_sets.add_class(current, name)

    return await _change(command_bus, decide, ("added", name), reason, user, key)


async def rename_class(
    command_bus: CommandBus, class_id: str, name: str, reason: str, user: str, key: str | None
) -> ClassChanged | Accepted:
    """Publish a label_set.changed in which the class is called `name`, and wait until the tables show it. One that is
    called so already stays as it is.

    Raises:
        Refused: class_unknown, class_unfit (the name is none, or belongs to another class), superseded.
        TransientError: the log or the tables are unavailable.
    """

    def decide(current: LabelSet) -> LabelClass:
        for one in current.classes:
            if one.id == current.label_of(class_id):
                return label_sets.rename_class(current, one, name)
        raise Refused("class_unknown", f"There is no class {class_id!r}. GET /classes lists them.")

    return await _change(command_bus, decide, ("renamed", class_id, name), reason, user, key)


async def _change(
    command_bus: CommandBus, decide: Decide, what: tuple[str, ...], reason: str, user: str, key: str | None
) -> ClassChanged | Accepted:
    """Decide on the classes of now, and again if another person changed them first. A command that was carried out
    under this key before changes nothing again."""
    make_id = partial(command_id, LabelSetChanged.topic, user, key, *what)
    for _ in range(TRIES):
        current = await command_bus.classes()
        if key is not None and (done := await was_changed(command_bus.database, make_id)) is not None:
            return _answer(done)
        try:
            changed = decide(current)
        except Unfit as unfit:
            raise Refused("class_unfit", str(unfit)) from unfit
        if changed in current.classes:
            return ClassChanged(id=changed.id, name=changed.name, revision=current.revision)
        event = LabelSetChanged(
            event_id=make_id(current.revision + 1),
            occurred_at=command_bus.clock(),
            model_name=command_bus.model_name,
            revision=current.revision + 1,
            classes=label_sets.with_class(current, changed),
            change=what[0],
            class_id=changed.id,
            changed_by=user,
            reason=reason,
        )
        await command_bus.publish(event)
        shown = await command_bus.wait_for(partial(change_in_revision, command_bus.database, event.revision))
        if shown is None:
            return Accepted(event_id=event.event_id)
        if shown.event_id == event.event_id:
            return _answer(shown)
    raise Refused("superseded", "Other people change the classes at this moment. Look at them again, and try again.")


def _answer(done: LabelSetChanged) -> ClassChanged:
    name = next(one.name for one in done.classes if one.id == done.class_id)
    return ClassChanged(id=done.class_id, name=name, revision=done.revision, event_id=done.event_id)
