"""The classes of an installation, and the event that says a person changed them. Pure.

The configuration is the first set (PAPPUS_LABELS); an operator adds classes and renames them while everything runs. A
class is known by its first name for good: tables, events and models call it by that, so a new name changes what people
read, and nothing that was decided or learned.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from shared.contract.event_base import ModelEvent, Principal
from shared.contract.event_parts import Ordinal
from shared.contract.race_rules import label_set_counts


class LabelClass(BaseModel):
    """One class. `id` is its first name, and the label in tables, events and models; `name` is what people call it now,
    `former` what else they called it since."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    id: str
    name: str
    former: tuple[str, ...] = ()

    @property
    def called(self) -> tuple[str, ...]:
        """All that it is or was called."""
        return (self.id, self.name, *self.former)


class LabelSetChanged(ModelEvent):
    """A person added a class, or gave one another name. Natural key: the client's idempotency key. `classes` are all of
    them from now on, in their order; it counts if `revision` is the last one plus one (`shared.contract.race_rules`),
    where that of the configuration is 0. `change` is "added" or "renamed", and `class_id` which one."""

    topic: ClassVar[str] = "label_set.changed"
    publishers: ClassVar[tuple[Principal, ...]] = ("labeler",)
    readers: ClassVar[tuple[Principal, ...]] = ("ingestor", "labeler", "trainer", "predictor")
    revision: Ordinal
    classes: tuple[LabelClass, ...]
    change: str
    class_id: str
    changed_by: str
    reason: str = ""


def quoted(label: str) -> str:
    """Return a label as sentences inside of events name it, so that readers find it: see `in_current_names`."""
    return f"“{label}”"


def in_current_names(sentence: str, names: Mapping[str, str]) -> str:
    """Return a sentence with the quoted labels (see `quoted`) in their names of now. `names` by label; other words stay
    as they are, and so does a quoted text that is none of these labels."""
    if "“" not in sentence or not names:
        return sentence
    labels = "|".join(re.escape(label) for label in sorted(names, key=len, reverse=True))
    return re.sub(f"“({labels})”", lambda found: quoted(names[found[1]]), sentence)


@dataclass(frozen=True)
class LabelSet:
    """All classes in their order, and the revision that they are of; 0 as configured."""

    classes: tuple[LabelClass, ...]
    revision: int = 0

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What tables, events and models call the classes."""
        return tuple(one.id for one in self.classes)

    @cached_property
    def names(self) -> Mapping[str, str]:
        """What people call them, by label."""
        return {one.id: one.name for one in self.classes}

    @cached_property
    def _label_of(self) -> Mapping[str, str]:
        return {called: one.id for one in reversed(self.classes) for called in one.called} | {
            label: label for label in self.labels
        }

    def label_of(self, text: str) -> str | None:
        """Return the label of the class that is or was called so; None if there is none."""
        return self._label_of.get(text)

    def name_of(self, label: str) -> str:
        """Return what people call the class with this label; the label itself if it is none of these."""
        return self.names.get(label, label)

    def after(self, event: LabelSetChanged) -> "LabelSet":
        """Return the set once this event is known: the same if it does not count."""
        return LabelSet(event.classes, event.revision) if label_set_counts(self.revision, event.revision) else self


def configured(labels: Sequence[str]) -> LabelSet:
    """Return the first set of an installation with these labels."""
    return LabelSet(tuple(LabelClass(id=label, name=label) for label in labels))


def with_configured(changed: LabelSet | None, labels: Sequence[str]) -> LabelSet:
    """Return the set that holds: as it was `changed` last, None for never, with the configured labels that it lacks.
    A label that is the name of another class is not added a second time."""
    if changed is None:
        return configured(labels)
    taken = {called for one in changed.classes for called in one.called}
    later = [LabelClass(id=label, name=label) for label in labels if label not in taken]
    return LabelSet((*changed.classes, *later), changed.revision)
