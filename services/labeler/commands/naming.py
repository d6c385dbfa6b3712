"""From what people call a class to its label."""

from services.labeler.commands.outcomes import Refused
from shared.clients.browse import ImageFilter
from shared.contract.label_set import LabelSet


def label_named(name: str | None, classes: LabelSet) -> str | None:
    """Return the label of the class that is or was called so; None for None. Raises Refused if there is none."""
    if name is None:
        return None
    if (label := classes.label_of(name)) is not None:
        return label
    known = ", ".join(classes.names.values())
    raise Refused("unknown_label", f"{name!r} is not a label of this installation. Choose one of: {known}.")


def filter_named(asked: ImageFilter, classes: LabelSet) -> ImageFilter:
    """Return the filter alone, with the labels of the classes that it names."""
    fields = asked.model_dump(include=set(ImageFilter.model_fields))
    fields |= {field: [classes.label_of(name) or name for name in fields[field]] for field in ("label", "predicted")}
    return ImageFilter.model_validate(fields)
