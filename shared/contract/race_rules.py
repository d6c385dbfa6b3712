"""The rules by which the log decides races. Every reader applies the same ones, so all of them agree."""


def label_applies(current_revision: int, event_revision: int) -> bool:
    """Return whether a label.corrected takes effect: its revision is the image's current one plus one (a registered
    label is revision 0). Of two competitors with one revision the first in partition order wins, the later is
    superseded."""
    return event_revision == current_revision + 1


def promotion_counts(last_sequence: int, event_sequence: int) -> bool:
    """Return whether a model.promoted takes effect: its sequence is the last counting one plus one (0 before the
    first)."""
    return event_sequence == last_sequence + 1


def label_set_counts(last_revision: int, event_revision: int) -> bool:
    """Return whether a label_set.changed takes effect: its revision is the last counting one plus one (0 before the
    first). Of two people who change the classes at once, the first on the log succeeds."""
    return event_revision == last_revision + 1
